#include "lent.h"

#include "library.h"

#include <stdint.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct lent {
  struct lent *next;
  void *memory;
  enum cbt_lent kind;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lent *buckets[BUCKETS];

static struct lent **bucket_of(const void *memory) { return &buckets[((uintptr_t)memory >> 4) % BUCKETS]; }

void *cbt_lend(size_t bytes, enum cbt_lent kind) {
  if (cbt_is_copy()) return calloc(1, bytes);
  struct lent *entry = malloc(sizeof *entry);
  void *memory = calloc(1, bytes);
  if (entry == NULL || memory == NULL) {
    free(entry);
    free(memory);
    return NULL;
  }
  entry->memory = memory;
  entry->kind = kind;
  pthread_mutex_lock(&lock);
  struct lent **bucket = bucket_of(memory);
  entry->next = *bucket;
  *bucket = entry;
  pthread_mutex_unlock(&lock);
  return memory;
}

void cbt_give_back(void *memory, enum cbt_lent kind) {
  if (memory == NULL || cbt_is_copy()) return;
  struct lent *found = NULL;
  pthread_mutex_lock(&lock);
  for (struct lent **at = bucket_of(memory); *at != NULL; at = &(*at)->next) {
    if ((*at)->memory != memory || (*at)->kind != kind) continue;
    found = *at;
    *at = found->next;
    break;
  }
  pthread_mutex_unlock(&lock);
  if (found == NULL) return;
  free(found->memory);
  free(found);
}
