#include "library.h"

#include "calls.h"
#include "events.h"
#include "texts.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_HANDLE = 0xface, WHY_ROOM = 2048 };

/* One thread at a time begins or ends; taken before `lock`, which is of the session alone and held for moments. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cbt_session current;
static unsigned initialised; /* of `life` */
/* The process that initialised; 0 where none has. Asked before any lock is taken: in a copy by fork, one may be held for ever. */
static _Atomic pid_t process;
static _Atomic uint64_t highest = FIRST_HANDLE - 1;

bool cbt_is_copy(void) {
  pid_t initialiser = atomic_load(&process);
  return initialiser != 0 && initialiser != getpid();
}

bool cbt_session_take(struct cbt_session *session) {
  memset(session, 0, sizeof *session);
  if (atomic_load(&process) != getpid()) return false;
  pthread_mutex_lock(&lock);
  if (current.channel != NULL) {
    *session = current;
    cbt_channel_keep(session->channel);
  }
  pthread_mutex_unlock(&lock);
  return session->channel != NULL;
}

uint64_t cbt_handle_number(const struct cbt_session *session, PRL_HANDLE handle) {
  uint64_t value = (uintptr_t)handle;
  return value < session->above + FIRST_HANDLE ? 0 : value - session->above;
}

PRL_HANDLE cbt_handle_of(const struct cbt_session *session, uint64_t number) {
  uint64_t value = number + session->above;
  uint64_t most = atomic_load(&highest);
  while (most < value && !atomic_compare_exchange_weak(&highest, &most, value)) {
  }
  return (PRL_HANDLE)(uintptr_t)value;
}

PRL_HANDLE cbt_dead_handle(void) { return (PRL_HANDLE)(uintptr_t)(FIRST_HANDLE - 1); }

PRL_RESULT cbt_result(cbt_code code) { return (PRL_RESULT)(uint32_t)code; }

PRL_RESULT cbt_no_session(const char *name) {
  bool opens = strstr(name, "Open") != NULL || strstr(name, "Create") != NULL;
  return strncmp(name, "PrlDisk", 7) == 0 && !opens ? PRL_ERR_INVALID_ARG : PRL_ERR_API_WASNT_INITIALIZED;
}

static struct cbt_channel *exchange(struct cbt_session with) {
  pthread_mutex_lock(&lock);
  struct cbt_channel *old = current.channel;
  current = with;
  pthread_mutex_unlock(&lock);
  return old;
}

/* With `life` held: no handle, no command any more. */
static void end_session(void) {
  struct cbt_channel *old = exchange((struct cbt_session){NULL, 0});
  initialised = 0;
  atomic_store(&process, 0);
  if (old == NULL) return;
  /* First the end of the calls: a handler may be in one. */
  cbt_channel_close(old);
  cbt_events_stop();
  cbt_channel_drop(old);
}

/* With `life` held. */
static PRL_RESULT start_session(void) {
  char why[WHY_ROOM] = "";
  struct cbt_session made = {NULL, atomic_load(&highest) + 1 - FIRST_HANDLE};
  cbt_code code = cbt_channel_open(NULL, cbt_event_came, &made.channel, why, sizeof why);
  cbt_text_no_start(why);
  if (code != CBT_OK) return cbt_result(code);
  exchange(made);
  atomic_store(&process, getpid());
  return PRL_ERR_SUCCESS;
}

static bool is_usable(void) { return current.channel != NULL && !cbt_channel_is_dead(current.channel); }

/* What cannot be done in an event handler, which would wait for itself, or in a copy of the process. */
static bool may_begin_or_end(PRL_RESULT *result) {
  *result = cbt_is_copy() ? PRL_ERR_API_WASNT_INITIALIZED : PRL_ERR_FAILURE;
  return !cbt_is_copy() && !cbt_in_handler();
}

CBT_API PRL_RESULT PrlApi_InitEx(PRL_UINT32 nVersion, PRL_APPLICATION_MODE nAppMode, PRL_UINT32 nFlags,
                                 PRL_UINT32 nReserved) {
  PRL_RESULT result;
  if (!may_begin_or_end(&result)) return result;
  pthread_mutex_lock(&life);
  result = PRL_ERR_SUCCESS;
  if (!is_usable()) {
    end_session();
    result = start_session();
  }
  if (result == PRL_ERR_SUCCESS) result = cbt_call("PrlApi_InitEx", "uuuu", nVersion, nAppMode, nFlags, nReserved);
  if (result == PRL_ERR_SUCCESS)
    initialised++;
  else if (initialised == 0) {
    cbt_text_keep(result);
    end_session();
  }
  pthread_mutex_unlock(&life);
  return result;
}

CBT_API PRL_RESULT PrlApi_Init(PRL_UINT32 version) { return PrlApi_InitEx(version, PAM_SERVER, 0, 0); }

/* As often as it was initialised; the last time, what has a handle is closed, and when it returns, it is. */
CBT_API PRL_RESULT PrlApi_Deinit(void) {
  PRL_RESULT result;
  if (!may_begin_or_end(&result)) return result;
  pthread_mutex_lock(&life);
  result = cbt_call("PrlApi_Deinit", "");
  if (initialised > 0 && --initialised == 0) end_session();
  pthread_mutex_unlock(&life);
  return result;
}
