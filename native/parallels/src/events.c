#include "events.h"

#include "calls.h"

#include <signal.h>
#include <stdlib.h>

/* A function with its data, by the number that the command knows it by; on how many objects it is registered. */
struct registration {
  struct registration *next;
  uint64_t number;
  PRL_EVENT_HANDLER_PTR handler;
  PRL_VOID_PTR data;
  unsigned count;
};

struct event {
  struct event *next;
  uint64_t registration;
  uint64_t about;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_cond_t returned = PTHREAD_COND_INITIALIZER; /* a handler has */
static struct registration *registrations;
static uint64_t last_number;
static uint64_t told_now; /* the registration whose handler runs; 0 where none does */
static struct event *first, **last = &first;
static bool running, stopping;
static pthread_t thread;
static _Thread_local bool telling;

bool cbt_in_handler(void) { return telling; }

static struct event *take_event(void) {
  pthread_mutex_lock(&lock);
  while (first == NULL && !stopping) pthread_cond_wait(&changed, &lock);
  struct event *event = stopping ? NULL : first;
  if (event != NULL) {
    first = event->next;
    if (first == NULL) last = &first;
  }
  pthread_mutex_unlock(&lock);
  return event;
}

static void tell(const struct event *event) {
  struct cbt_session session;
  if (!cbt_session_take(&session)) return;
  PRL_HANDLE handle = cbt_handle_of(&session, event->about);
  cbt_channel_drop(session.channel);
  PRL_EVENT_HANDLER_PTR handler = NULL;
  PRL_VOID_PTR data = NULL;
  pthread_mutex_lock(&lock);
  for (const struct registration *at = registrations; at != NULL; at = at->next)
    if (at->number == event->registration) {
      handler = at->handler;
      data = at->data;
      told_now = at->number;
    }
  pthread_mutex_unlock(&lock);
  if (handler == NULL) { /* Taken off meanwhile: there is nobody to free it. */
    PrlHandle_Free(handle);
    return;
  }
  handler(handle, data);
  pthread_mutex_lock(&lock);
  told_now = 0;
  pthread_cond_broadcast(&returned);
  pthread_mutex_unlock(&lock);
}

static void *tell_all(void *unused) {
  (void)unused;
  telling = true;
  for (struct event *event; (event = take_event()) != NULL; free(event)) tell(event);
  return NULL;
}

/* With `lock` held. */
static bool start(void) {
  if (running) return true;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  running = pthread_create(&thread, NULL, tell_all, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return running;
}

void cbt_event_came(uint64_t registration, uint64_t number) {
  struct event *event = malloc(sizeof *event);
  if (event == NULL) return;
  event->next = NULL;
  event->registration = registration;
  event->about = number;
  pthread_mutex_lock(&lock);
  bool taken = running && !stopping;
  if (taken) {
    *last = event;
    last = &event->next;
    pthread_cond_signal(&changed);
  }
  pthread_mutex_unlock(&lock);
  if (!taken) free(event);
}

void cbt_events_stop(void) {
  pthread_mutex_lock(&lock);
  bool was = running;
  stopping = true;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  if (was) pthread_join(thread, NULL);
  pthread_mutex_lock(&lock);
  running = false;
  stopping = false;
  for (struct event *next; first != NULL; first = next) {
    next = first->next;
    free(first);
  }
  last = &first;
  for (struct registration *next; registrations != NULL; registrations = next) {
    next = registrations->next;
    free(registrations);
  }
  pthread_mutex_unlock(&lock);
}

/* With `lock` held. */
static struct registration **place_of(PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR data) {
  struct registration **at = &registrations;
  while (*at != NULL && ((*at)->handler != handler || (*at)->data != data)) at = &(*at)->next;
  return at;
}

/* Its number, with one use more; 0 without memory or thread. */
static uint64_t begin_use(PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR data) {
  uint64_t number = 0;
  pthread_mutex_lock(&lock);
  struct registration **at = place_of(handler, data);
  if (*at == NULL && start() && (*at = calloc(1, sizeof **at)) != NULL) {
    (*at)->number = ++last_number;
    (*at)->handler = handler;
    (*at)->data = data;
  }
  if (*at != NULL) {
    (*at)->count++;
    number = (*at)->number;
  }
  pthread_mutex_unlock(&lock);
  return number;
}

/*
 * Its number, 0 where it is not registered; `uses` fewer. After the last, what the data points to is the program's to free: its handler has
 * returned, but where it is that which calls.
 */
static uint64_t end_use(PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR data, unsigned uses) {
  uint64_t number = 0;
  pthread_mutex_lock(&lock);
  struct registration **at = place_of(handler, data), *found = *at;
  if (found != NULL) {
    number = found->number;
    found->count -= uses < found->count ? uses : found->count;
    if (found->count == 0) {
      *at = found->next;
      free(found);
      while (told_now == number && !telling) pthread_cond_wait(&returned, &lock);
    }
  }
  pthread_mutex_unlock(&lock);
  return number;
}

/* Asked before any lock is taken. */
static bool is_there(void) {
  struct cbt_session session;
  if (!cbt_session_take(&session)) return false;
  cbt_channel_drop(session.channel);
  return true;
}

static PRL_RESULT add(const char *name, PRL_HANDLE of, PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR data) {
  if (!is_there()) return cbt_no_session(name);
  uint64_t number = handler == NULL ? 0 : begin_use(handler, data);
  if (number == 0 && handler != NULL) return PRL_ERR_OUT_OF_MEMORY;
  PRL_RESULT result = cbt_call(name, "hU", of, number);
  if (result != PRL_ERR_SUCCESS && number != 0) end_use(handler, data, 1);
  return result;
}

static PRL_RESULT take_off(const char *name, PRL_HANDLE of, PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR data) {
  if (!is_there()) return cbt_no_session(name);
  PRL_RESULT result = cbt_call(name, "hU", of, end_use(handler, data, 0));
  if (result == PRL_ERR_SUCCESS) end_use(handler, data, 1);
  return result;
}

CBT_API PRL_RESULT PrlHandle_RegEventHandler(PRL_HANDLE hObj, PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR userData) {
  return add("PrlHandle_RegEventHandler", hObj, handler, userData);
}

CBT_API PRL_RESULT PrlSrv_RegEventHandler(PRL_HANDLE hServer, PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR userData) {
  return add("PrlSrv_RegEventHandler", hServer, handler, userData);
}

CBT_API PRL_RESULT PrlVm_RegEventHandler(PRL_HANDLE hObj, PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR userData) {
  return add("PrlVm_RegEventHandler", hObj, handler, userData);
}

CBT_API PRL_RESULT PrlHandle_UnregEventHandler(PRL_HANDLE hObj, PRL_EVENT_HANDLER_PTR handler,
                                               PRL_VOID_PTR userData) {
  return take_off("PrlHandle_UnregEventHandler", hObj, handler, userData);
}

CBT_API PRL_RESULT PrlSrv_UnregEventHandler(PRL_HANDLE hServer, PRL_EVENT_HANDLER_PTR handler,
                                            PRL_VOID_PTR userData) {
  return take_off("PrlSrv_UnregEventHandler", hServer, handler, userData);
}

CBT_API PRL_RESULT PrlVm_UnregEventHandler(PRL_HANDLE hObj, PRL_EVENT_HANDLER_PTR handler, PRL_VOID_PTR userData) {
  return take_off("PrlVm_UnregEventHandler", hObj, handler, userData);
}
