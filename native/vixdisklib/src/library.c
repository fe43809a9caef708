#include "library.h"

#include "lent.h"
#include "reasons.h"
#include "settings.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_ROOM = 2048 };

/* One thread at a time begins or ends; taken before `lock`, which is of the channel alone and held for moments. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cbt_channel *channel;
static unsigned initialised; /* of `life` */
/* The process that initialised; 0 where none has. Asked before any lock is taken: in a copy by fork, one may be held for ever. */
static _Atomic pid_t process;
static _Atomic(VixDiskLibGenericLogFunc *) log_line;

bool cbt_is_copy(void) {
  pid_t initialiser = atomic_load(&process);
  return initialiser != 0 && initialiser != getpid();
}

struct cbt_channel *cbt_library_channel(void) {
  if (atomic_load(&process) != getpid()) return NULL;
  pthread_mutex_lock(&lock);
  struct cbt_channel *kept = channel == NULL ? NULL : cbt_channel_keep(channel);
  pthread_mutex_unlock(&lock);
  return kept;
}

bool cbt_is_current(const struct cbt_channel *which) {
  pthread_mutex_lock(&lock);
  bool current = channel == which;
  pthread_mutex_unlock(&lock);
  return current;
}

/* Callbacks print the format alone, or with the list: one without any % is right for both. */
static void pass_on(VixDiskLibGenericLogFunc *to, const char *format, ...) {
  va_list none;
  va_start(none, format);
  to(format, none);
  va_end(none);
}

static void say(VixDiskLibGenericLogFunc *to, const char *text) {
  if (to == NULL) return;
  char *doubled = malloc(2 * strlen(text) + 1);
  if (doubled == NULL) return;
  char *end = doubled;
  for (const char *at = text; *at != '\0'; at++) {
    *end++ = *at;
    if (*at == '%') *end++ = '%';
  }
  *end = '\0';
  pass_on(to, doubled);
  free(doubled);
}

void cbt_log(const char *format, ...) {
  char text[LINE_ROOM];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  say(atomic_load(&log_line), text);
}

VixError cbt_no_object(enum cbt_kind kind) {
  return kind == CBT_DISK ? VIX_E_INVALID_HANDLE : VIX_E_DISK_INVALID_CONNECTION;
}

VixError cbt_find(const void *handle, enum cbt_kind kind, struct cbt_object **object) {
  *object = NULL;
  if (cbt_is_copy()) return VIX_E_DISK_NOINIT;
  *object = cbt_object_find(handle, kind);
  return *object == NULL ? cbt_no_object(kind) : VIX_OK;
}

static void begin(struct cbt_request *request, const char *name) {
  cbt_write_begin(&request->message);
  cbt_write_text(&request->message, name);
  request->values = &request->answer.values;
}

VixError cbt_request_begin(struct cbt_request *request, const char *name) {
  memset(request, 0, sizeof *request);
  request->channel = cbt_library_channel();
  if (request->channel == NULL) return VIX_E_DISK_NOINIT;
  begin(request, name);
  return VIX_OK;
}

VixError cbt_request_begin_on(struct cbt_request *request, const char *name, const void *handle, enum cbt_kind kind) {
  memset(request, 0, sizeof *request);
  VixError code = cbt_find(handle, kind, &request->object);
  if (code != VIX_OK) return code;
  request->channel = cbt_channel_keep(request->object->channel);
  begin(request, name);
  cbt_write_u64(&request->message, request->object->number);
  return VIX_OK;
}

static void pass_lines_on_to(VixDiskLibGenericLogFunc *to, struct cbt_channel *from) {
  for (char *line; (line = cbt_channel_next_line(from)) != NULL;) {
    say(to, line);
    free(line);
  }
}

void cbt_pass_lines_on(struct cbt_channel *from) { pass_lines_on_to(atomic_load(&log_line), from); }

VixError cbt_request_call(struct cbt_request *request, VixDiskLibProgressFunc progress, void *progress_data) {
  return cbt_channel_call(request->channel, &request->message, &request->answer, progress, progress_data);
}

void cbt_request_told(struct cbt_request *request, VixError code) {
  cbt_reason_is_the_commands(code);
  cbt_pass_lines_on(request->channel);
}

VixError cbt_request_ask(struct cbt_request *request, VixDiskLibProgressFunc progress, void *progress_data) {
  VixError code = cbt_request_call(request, progress, progress_data);
  cbt_request_told(request, code);
  return code;
}

VixError cbt_request_end(struct cbt_request *request, VixError code) {
  cbt_write_end(&request->message);
  cbt_pending_end(&request->answer);
  cbt_object_drop(request->object);
  cbt_channel_drop(request->channel);
  return code;
}

VixError cbt_request_run(struct cbt_request *request, VixDiskLibProgressFunc progress, void *progress_data) {
  return cbt_request_end(request, cbt_request_ask(request, progress, progress_data));
}

static struct cbt_channel *exchange(struct cbt_channel *with) {
  pthread_mutex_lock(&lock);
  struct cbt_channel *old = channel;
  channel = with;
  pthread_mutex_unlock(&lock);
  return old;
}

/* With `life` held: no disk, no connection, no command any more. */
static void end_session(void) {
  struct cbt_channel *old = exchange(NULL);
  if (old == NULL) return;
  cbt_objects_withdraw_all(NULL);
  cbt_channel_close(old);
  cbt_outcomes_stop();
  cbt_channel_drop(old);
}

static VixError initialise(struct cbt_channel *with, uint32 major, uint32 minor, const char *lib_dir,
                           const char *config) {
  struct cbt_request request;
  memset(&request, 0, sizeof request);
  request.channel = cbt_channel_keep(with);
  begin(&request, "VixDiskLib_InitEx");
  cbt_write_u64(&request.message, major);
  cbt_write_u64(&request.message, minor);
  cbt_write_text(&request.message, lib_dir);
  cbt_write_text(&request.message, config);
  return cbt_request_end(&request, cbt_request_call(&request, NULL, NULL));
}

/* With `life` held. What there is to log is told when it is not: why no command could be started, and what the one that was has said. */
static VixError start_session(uint32 major, uint32 minor, const char *lib_dir, const char *config,
                              char why[LINE_ROOM], struct cbt_channel **spoke) {
  char *command = cbt_settings_command(config);
  struct cbt_channel *made = NULL;
  VixError code = cbt_channel_open(command, NULL, &made, why, LINE_ROOM);
  free(command);
  if (code != VIX_OK) return code;
  *spoke = cbt_channel_keep(made);
  why[0] = '\0';
  code = initialise(made, major, minor, lib_dir, config);
  if (code == VIX_OK) {
    exchange(made);
    return code;
  }
  cbt_channel_close(made);
  cbt_channel_drop(made);
  return code;
}

CBT_API VixError VixDiskLib_InitEx(uint32 majorVersion, uint32 minorVersion, VixDiskLibGenericLogFunc *log,
                                   VixDiskLibGenericLogFunc *warn, VixDiskLibGenericLogFunc *panic,
                                   const char *libDir, const char *configFile) {
  (void)warn;
  (void)panic;
  if (cbt_is_copy() || cbt_in_callback()) return cbt_is_copy() ? VIX_E_DISK_NOINIT : VIX_E_FAIL;
  pthread_mutex_lock(&life);
  atomic_store(&log_line, log);
  char why[LINE_ROOM] = "";
  struct cbt_channel *spoke = NULL;
  VixError code = VIX_OK;
  if (channel == NULL || cbt_channel_is_dead(channel)) {
    end_session();
    initialised = 0;
    code = start_session(majorVersion, minorVersion, libDir, configFile, why, &spoke);
  }
  if (code == VIX_OK) {
    initialised++;
    atomic_store(&process, getpid());
  }
  pthread_mutex_unlock(&life);
  if (why[0] != '\0') cbt_refuse(code, "VixDiskLib_InitEx: %s", why);
  if (spoke != NULL) pass_lines_on_to(log, spoke);
  cbt_channel_drop(spoke);
  return code;
}

CBT_API VixError VixDiskLib_Init(uint32 majorVersion, uint32 minorVersion, VixDiskLibGenericLogFunc *log,
                                 VixDiskLibGenericLogFunc *warn, VixDiskLibGenericLogFunc *panic, const char *libDir) {
  return VixDiskLib_InitEx(majorVersion, minorVersion, log, warn, panic, libDir, NULL);
}

/* As often as it was initialised; the last time, what is open is closed, and when it returns, it is. */
CBT_API void VixDiskLib_Exit(void) {
  if (cbt_is_copy() || cbt_in_callback()) return;
  struct cbt_request request;
  if (cbt_request_begin(&request, "VixDiskLib_Exit") != VIX_OK) return;
  VixDiskLibGenericLogFunc *to = NULL;
  pthread_mutex_lock(&life);
  if (initialised > 0 && --initialised == 0) {
    /* The command closes what it has when nobody else uses it. */
    cbt_objects_withdraw_all(NULL);
    cbt_request_call(&request, NULL, NULL);
    end_session();
    to = atomic_exchange(&log_line, NULL);
    atomic_store(&process, 0);
  }
  pthread_mutex_unlock(&life);
  if (to != NULL) pass_lines_on_to(to, request.channel);
  cbt_request_end(&request, VIX_OK);
}

CBT_API const char *VixDiskLib_ListTransportModes(void) { return "file:nbd"; }
