#include "objects.h"

#include "lane.h"

#include <stdlib.h>
#include <string.h>

enum { SLOT_BITS = 16, MAX_SLOTS = 1 << SLOT_BITS, KIND_BITS = 4 };

struct slot {
  struct cbt_object *object;
  uint32_t generation;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static size_t slot_count, first_free;
/* Disks that were withdrawn and are being closed. */
static struct cbt_object *closing;
static pthread_cond_t closed = PTHREAD_COND_INITIALIZER;

struct cbt_object *cbt_object_make(enum cbt_kind kind, struct cbt_channel *channel, uint64_t number) {
  struct cbt_object *object = calloc(1, sizeof *object);
  if (object == NULL) return NULL;
  object->kind = kind;
  object->references = 1;
  object->channel = cbt_channel_keep(channel);
  object->number = number;
  pthread_mutex_init(&object->lock, NULL);
  pthread_cond_init(&object->idle, NULL);
  return object;
}

/* With `lock` held: a free slot, or MAX_SLOTS. */
static size_t free_slot(void) {
  for (; first_free < slot_count; first_free++)
    if (slots[first_free].object == NULL) return first_free;
  if (slot_count == MAX_SLOTS) return MAX_SLOTS;
  size_t count = slot_count == 0 ? 64 : slot_count * 2;
  struct slot *more = realloc(slots, count * sizeof *slots);
  if (more == NULL) return MAX_SLOTS;
  memset(more + slot_count, 0, (count - slot_count) * sizeof *more);
  slots = more;
  size_t found = slot_count;
  slot_count = count;
  return found;
}

void *cbt_object_publish(struct cbt_object *object) {
  pthread_mutex_lock(&lock);
  size_t at = free_slot();
  uintptr_t handle = 0;
  if (at != MAX_SLOTS) {
    slots[at].object = object;
    slots[at].generation++;
    handle = ((uintptr_t)slots[at].generation << SLOT_BITS | at) << KIND_BITS | (uintptr_t)object->kind;
  }
  pthread_mutex_unlock(&lock);
  return (void *)handle;
}

/* With `lock` held. */
static struct slot *slot_of(const void *handle, enum cbt_kind kind) {
  uintptr_t value = (uintptr_t)handle;
  size_t at = value >> KIND_BITS & (MAX_SLOTS - 1);
  if ((value & ((1u << KIND_BITS) - 1)) != (uintptr_t)kind || at >= slot_count) return NULL;
  struct slot *slot = &slots[at];
  bool same = slot->object != NULL && slot->generation == value >> (KIND_BITS + SLOT_BITS);
  return same && slot->object->kind == kind ? slot : NULL;
}

struct cbt_object *cbt_object_find(const void *handle, enum cbt_kind kind) {
  pthread_mutex_lock(&lock);
  struct slot *slot = slot_of(handle, kind);
  struct cbt_object *object = slot == NULL ? NULL : slot->object;
  if (object != NULL) object->references++;
  pthread_mutex_unlock(&lock);
  return object;
}

/* With `lock` held. */
static struct cbt_object *empty(struct slot *slot) {
  struct cbt_object *object = slot->object;
  slot->object = NULL;
  size_t at = (size_t)(slot - slots);
  if (at < first_free) first_free = at;
  if (object->kind == CBT_DISK) {
    object->next_closing = closing;
    closing = object;
  }
  return object;
}

struct cbt_object *cbt_object_withdraw(const void *handle, enum cbt_kind kind) {
  pthread_mutex_lock(&lock);
  struct slot *slot = slot_of(handle, kind);
  struct cbt_object *object = slot == NULL ? NULL : empty(slot);
  pthread_mutex_unlock(&lock);
  return object;
}

void cbt_object_closed(struct cbt_object *disk) {
  pthread_mutex_lock(&lock);
  struct cbt_object **at = &closing;
  while (*at != disk) at = &(*at)->next_closing;
  *at = disk->next_closing;
  pthread_cond_broadcast(&closed);
  pthread_mutex_unlock(&lock);
  cbt_object_drop(disk);
}

static bool is_disk_of(const struct cbt_object *object, const struct cbt_object *connection) {
  if (object->kind != CBT_DISK) return false;
  return connection == NULL || (object->channel == connection->channel && object->owner == connection->number);
}

/* With `lock` held: whether somebody closes such a disk. */
static bool is_closing(const struct cbt_object *connection) {
  for (const struct cbt_object *at = closing; at != NULL; at = at->next_closing)
    if (is_disk_of(at, connection)) return true;
  return false;
}

void cbt_objects_withdraw_all(const struct cbt_object *connection) {
  pthread_mutex_lock(&lock);
  for (size_t at = 0; at < slot_count; at++) {
    const struct cbt_object *here = slots[at].object;
    if (here == NULL || !(connection == NULL || is_disk_of(here, connection))) continue;
    struct cbt_object *object = empty(&slots[at]);
    pthread_mutex_unlock(&lock);
    cbt_object_end(object);
    if (object->kind == CBT_DISK)
      cbt_object_closed(object);
    else
      cbt_object_drop(object);
    pthread_mutex_lock(&lock);
  }
  while (is_closing(connection)) pthread_cond_wait(&closed, &lock);
  pthread_mutex_unlock(&lock);
}

bool cbt_object_enter(struct cbt_object *disk, bool later) {
  pthread_mutex_lock(&disk->lock);
  bool entered = !disk->ending;
  if (entered) disk->flying++;
  if (entered && later) disk->later++;
  pthread_mutex_unlock(&disk->lock);
  return entered;
}

void cbt_object_leave(struct cbt_object *disk, bool later) {
  pthread_mutex_lock(&disk->lock);
  disk->flying--;
  if (later) disk->later--;
  if (disk->flying == 0 || (later && disk->later == 0)) pthread_cond_broadcast(&disk->idle);
  pthread_mutex_unlock(&disk->lock);
}

void cbt_object_wait_until_idle(struct cbt_object *disk) {
  pthread_mutex_lock(&disk->lock);
  while (disk->later > 0) pthread_cond_wait(&disk->idle, &disk->lock);
  pthread_mutex_unlock(&disk->lock);
}

bool cbt_object_is_ending(struct cbt_object *object) {
  pthread_mutex_lock(&object->lock);
  bool ending = object->ending;
  pthread_mutex_unlock(&object->lock);
  return ending;
}

void cbt_object_end(struct cbt_object *object) {
  pthread_mutex_lock(&object->lock);
  object->ending = true;
  while (object->flying > 0) pthread_cond_wait(&object->idle, &object->lock);
  struct cbt_lane *lane = object->lane;
  object->lane = NULL;
  pthread_mutex_unlock(&object->lock);
  cbt_lane_close(lane);
}

void cbt_object_drop(struct cbt_object *object) {
  if (object == NULL) return;
  pthread_mutex_lock(&lock);
  bool last = --object->references == 0;
  pthread_mutex_unlock(&lock);
  if (!last) return;
  cbt_channel_drop(object->channel);
  pthread_cond_destroy(&object->idle);
  pthread_mutex_destroy(&object->lock);
  free(object);
}
