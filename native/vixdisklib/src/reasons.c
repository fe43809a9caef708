#include "reasons.h"

#include "library.h"

#include <stdio.h>
#include <string.h>

enum { MAX_REASONS = 32, REASON_ROOM = 2048 };

struct reason {
  VixError code; /* VIX_OK: none */
  char text[REASON_ROOM];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reason reasons[MAX_REASONS];
static unsigned oldest;

/* With `lock` held. */
static struct reason *find(VixError code) {
  for (unsigned i = 0; i < MAX_REASONS; i++)
    if (reasons[i].code == code) return &reasons[i];
  return NULL;
}

VixError cbt_refuse(VixError code, const char *format, ...) {
  char text[REASON_ROOM];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  pthread_mutex_lock(&lock);
  struct reason *reason = find(code);
  if (reason == NULL) reason = &reasons[oldest++ % MAX_REASONS];
  reason->code = code;
  memcpy(reason->text, text, sizeof text);
  pthread_mutex_unlock(&lock);
  cbt_log("%s", text);
  return code;
}

void cbt_reason_is_the_commands(VixError code) {
  if (code == VIX_OK) return;
  pthread_mutex_lock(&lock);
  struct reason *reason = find(code);
  if (reason != NULL) reason->code = VIX_OK;
  pthread_mutex_unlock(&lock);
}

bool cbt_reason_of(VixError code, char *text, size_t room) {
  pthread_mutex_lock(&lock);
  const struct reason *reason = code == VIX_OK ? NULL : find(code);
  if (reason != NULL) snprintf(text, room, "%s", reason->text);
  pthread_mutex_unlock(&lock);
  return reason != NULL;
}
