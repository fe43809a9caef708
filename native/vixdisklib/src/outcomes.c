/* The thread that calls the program's completion callbacks, with nothing locked: they may begin the next reads and writes. */
#include "library.h"

#include <signal.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct cbt_outcome *first, **last = &first;
static bool running, stopping;
static pthread_t thread;
static _Thread_local bool telling;

bool cbt_in_callback(void) { return telling; }

static void tell(struct cbt_outcome *outcome) {
  struct cbt_object *disk = outcome->disk;
  if (outcome->code != VIX_OK) cbt_pass_lines_on(disk->channel);
  outcome->callback(outcome->data, outcome->code);
  free(outcome->memory);
  cbt_object_leave(disk, true);
  cbt_object_drop(disk);
}

void cbt_tells_outcomes(void) { telling = true; }

void cbt_outcome_tell_here(struct cbt_outcome *outcome) { tell(outcome); }

static void *tell_all(void *unused) {
  (void)unused;
  telling = true;
  pthread_mutex_lock(&lock);
  while (first != NULL || !stopping) {
    struct cbt_outcome *all = first;
    if (all == NULL) {
      pthread_cond_wait(&changed, &lock);
      continue;
    }
    first = NULL;
    last = &first;
    pthread_mutex_unlock(&lock);
    while (all != NULL) {
      struct cbt_outcome *next = all->next;
      tell(all);
      all = next;
    }
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

bool cbt_outcomes_start(void) {
  pthread_mutex_lock(&lock);
  if (!running && !stopping) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    running = pthread_create(&thread, NULL, tell_all, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  bool started = running;
  pthread_mutex_unlock(&lock);
  return started;
}

void cbt_outcome_tell(struct cbt_outcome *outcome) {
  outcome->next = NULL;
  pthread_mutex_lock(&lock);
  *last = outcome;
  last = &outcome->next;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

void cbt_outcomes_stop(void) {
  pthread_mutex_lock(&lock);
  bool was = running && !stopping;
  if (was) {
    stopping = true;
    pthread_cond_signal(&changed);
  }
  pthread_mutex_unlock(&lock);
  if (!was) return;
  pthread_join(thread, NULL);
  pthread_mutex_lock(&lock);
  running = false;
  stopping = false;
  pthread_mutex_unlock(&lock);
}
