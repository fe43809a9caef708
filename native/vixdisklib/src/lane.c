#include "lane.h"

#include "descriptors.h"
#include "nbd.h"
#include "silence.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* QEMU gets fresh memory for requests from 1 MiB on; a write costs qcow2 the same whatever its size. */
enum { READ_BYTES = 256 << 10, WRITE_BYTES = 1 << 20, MOST_BYTES = 4 << 20, READABLE = 1, WRITABLE = 2 };

struct cbt_lane {
  const struct cbt_nbd *nbd;
  char *uri;
  /* Of callers that wait, one after the other. */
  pthread_mutex_t waiting;
  struct nbd_handle *now;
  /* Of asynchronous calls. */
  pthread_mutex_t lock;
  struct cbt_lane_job *first, **last; /* not begun */
  bool sleeps, ends, runs;
  pthread_t thread;
  int wake;
  /* Of the thread alone. */
  struct nbd_handle *later;
  struct cbt_lane_job *finished;
  size_t flying_bytes;
  struct cbt_lane_failure failure; /* of the connection */
  unsigned quiet; /* turns without a sign of the server, one after the other, with something on its way */
};

static size_t request_bytes(bool writes) { return writes ? WRITE_BYTES : READ_BYTES; }

VixError cbt_lane_code(const struct cbt_lane_failure *failure) {
  if (failure->error == 0) return VIX_OK;
  if (failure->error == EAGAIN) return VIX_E_OUT_OF_MEMORY;
  return failure->error == ENOSPC ? VIX_E_DISK_FULL : VIX_E_DISK_NOIO;
}

/* The first failure is the one that is told. */
static void fail(struct cbt_lane_failure *failure, int error, const char *why) {
  if (failure->error != 0) return;
  failure->error = error;
  snprintf(failure->why, sizeof failure->why, "%s", why);
}

/* The server said that it failed. */
static void fail_by_server(struct cbt_lane_failure *failure, int error) {
  char room[80];
  fail(failure, error, strerror_r(error, room, sizeof room));
}

/* libnbd could not ask the server. */
static void fail_by_libnbd(const struct cbt_nbd *nbd, struct cbt_lane_failure *failure) {
  const char *why = nbd->get_error();
  fail(failure, EIO, why != NULL ? why : "libnbd gives no reason");
}

/* After a turn; where it was one too many without a sign, the connection is broken, and so each of its requests ends. */
static void count_turn(const struct cbt_nbd *nbd, struct nbd_handle *handle, bool sign, unsigned *quiet,
                       struct cbt_lane_failure *failure) {
  *quiet = sign ? 0 : *quiet + 1;
  if (*quiet < CBT_TURNS) return;
  fail(failure, ETIMEDOUT, "the server of the disk gave no sign of life");
  shutdown(nbd->aio_get_fd(handle), SHUT_RDWR);
}

/* Waits a turn for the server. */
static void poll_turn(const struct cbt_nbd *nbd, struct nbd_handle *handle, unsigned *quiet,
                      struct cbt_lane_failure *failure) {
  int got = nbd->poll(handle, CBT_TURN_MS);
  if (got >= 0)
    count_turn(nbd, handle, got > 0, quiet, failure);
  else if (nbd->get_errno() != EINTR)
    fail_by_libnbd(nbd, failure);
}

/* For copies of the process too that were made without the handlers of fork: theirs would keep the server, which would be waited for. */
static void disconnect(const struct cbt_nbd *nbd, struct nbd_handle *handle) {
  if (handle == NULL) return;
  int fd = nbd->aio_get_fd(handle);
  if (fd >= 0) shutdown(fd, SHUT_RDWR);
  cbt_descriptor_disown(fd);
  nbd->close(handle);
}

static struct nbd_handle *connect_to(const struct cbt_nbd *nbd, const char *uri, struct cbt_lane_failure *failure) {
  struct nbd_handle *handle = nbd->create();
  unsigned quiet = 0;
  if (handle == NULL || nbd->aio_connect_uri(handle, uri) != 0) fail_by_libnbd(nbd, failure);
  while (failure->error == 0 && nbd->aio_is_connecting(handle) == 1) poll_turn(nbd, handle, &quiet, failure);
  if (failure->error == 0 && nbd->aio_is_ready(handle) != 1) fail_by_libnbd(nbd, failure);
  if (failure->error == 0) {
    cbt_descriptor_own(nbd->aio_get_fd(handle));
    return handle;
  }
  disconnect(nbd, handle);
  return NULL;
}

struct cbt_lane *cbt_lane_open(const char *uri, uint64_t bytes) {
  const struct cbt_nbd *nbd = cbt_nbd();
  struct cbt_lane *lane = nbd == NULL ? NULL : calloc(1, sizeof *lane);
  if (lane == NULL) return NULL;
  lane->nbd = nbd;
  lane->last = &lane->first;
  lane->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  lane->uri = strdup(uri);
  pthread_mutex_init(&lane->waiting, NULL);
  pthread_mutex_init(&lane->lock, NULL);
  struct cbt_lane_failure failure = {0, ""};
  if (lane->uri != NULL && lane->wake >= 0) lane->now = connect_to(nbd, uri, &failure);
  if (lane->now != NULL && nbd->get_size(lane->now) >= (int64_t)bytes) return lane;
  cbt_lane_close(lane);
  return NULL;
}

void cbt_lane_close(struct cbt_lane *lane) {
  if (lane == NULL) return;
  pthread_mutex_lock(&lane->lock);
  lane->ends = true;
  pthread_mutex_unlock(&lane->lock);
  if (lane->runs) {
    eventfd_write(lane->wake, 1);
    pthread_join(lane->thread, NULL);
  }
  disconnect(lane->nbd, lane->later);
  disconnect(lane->nbd, lane->now);
  if (lane->wake >= 0) close(lane->wake);
  pthread_mutex_destroy(&lane->waiting);
  pthread_mutex_destroy(&lane->lock);
  free(lane->uri);
  free(lane);
}

/* What a caller waits for. */
struct wait {
  unsigned flying;
  struct cbt_lane_failure *failure;
};

static int settle_wait(void *data, int *error) {
  struct wait *wait = data;
  wait->flying--;
  if (*error != 0) fail_by_server(wait->failure, *error);
  return 1;
}

/* With `waiting` held: in requests that are on their way together. When it returns, none is. */
static void run_requests(struct cbt_lane *lane, uint64_t offset, size_t bytes, uint8_t *buffer, bool writes,
                         struct cbt_lane_failure *failure) {
  const struct cbt_nbd *nbd = lane->nbd;
  const size_t request = request_bytes(writes);
  struct wait wait = {0, failure};
  unsigned quiet = 0;
  for (size_t at = 0; at < bytes || wait.flying > 0;) {
    if (at < bytes && failure->error == 0 && wait.flying < MOST_BYTES / request) {
      size_t part = bytes - at < request ? bytes - at : request;
      const struct cbt_nbd_completion completion = {settle_wait, &wait, NULL};
      wait.flying++;
      if ((writes ? nbd->aio_pwrite(lane->now, buffer + at, part, offset + at, completion, 0)
                  : nbd->aio_pread(lane->now, buffer + at, part, offset + at, completion, 0)) < 0) {
        wait.flying--;
        fail_by_libnbd(nbd, failure);
      }
      at += part;
      continue;
    }
    if (wait.flying == 0) break;
    /* A connection that broke ends each of its requests. */
    poll_turn(nbd, lane->now, &quiet, failure);
  }
}

VixError cbt_lane_now(struct cbt_lane *lane, uint64_t offset, size_t bytes, uint8_t *buffer, bool writes,
                      struct cbt_lane_failure *failure) {
  pthread_mutex_lock(&lane->waiting);
  run_requests(lane, offset, bytes, buffer, writes, failure);
  pthread_mutex_unlock(&lane->waiting);
  return cbt_lane_code(failure);
}

/* On the lane's thread, inside libnbd: nothing of the program's is called from here. */
static int settle_job(void *data, int *error) {
  struct cbt_lane_job *job = data;
  if (*error != 0 && job->lane->failure.error != 0) fail(&job->failure, *error, job->lane->failure.why);
  if (*error != 0) fail_by_server(&job->failure, *error);
  if (--job->flying == 0 && job->asked == job->bytes) {
    job->next = job->lane->finished;
    job->lane->finished = job;
  }
  return 1;
}

/* Asks for the next part of the job. */
static void ask(struct cbt_lane *lane, struct cbt_lane_job *job) {
  const struct cbt_nbd *nbd = lane->nbd;
  size_t part = job->bytes - job->asked, at = job->asked;
  if (part > request_bytes(job->writes)) part = request_bytes(job->writes);
  const struct cbt_nbd_completion completion = {settle_job, job, NULL};
  job->flying++;
  job->asked += part;
  if ((job->writes ? nbd->aio_pwrite(lane->later, job->buffer + at, part, job->offset + at, completion, 0)
                   : nbd->aio_pread(lane->later, job->buffer + at, part, job->offset + at, completion, 0)) >= 0)
    return;
  fail_by_libnbd(nbd, &job->failure);
  int error = EIO;
  settle_job(job, &error);
}

static void tell_finished(struct cbt_lane *lane) {
  while (lane->finished != NULL) {
    struct cbt_lane_job *job = lane->finished;
    lane->finished = job->next;
    lane->flying_bytes -= job->bytes;
    job->ended(job);
  }
}

/* What to do next: a job, or NULL with `ends` where there will be none. */
static struct cbt_lane_job *next_job(struct cbt_lane *lane, bool *ends) {
  pthread_mutex_lock(&lane->lock);
  struct cbt_lane_job *job = NULL;
  if (lane->first != NULL && (lane->flying_bytes == 0 || lane->flying_bytes + lane->first->bytes <= MOST_BYTES)) {
    job = lane->first;
    lane->first = job->next;
    if (lane->first == NULL) lane->last = &lane->first;
    lane->flying_bytes += job->bytes;
  }
  lane->sleeps = job == NULL;
  *ends = lane->ends && lane->first == NULL && lane->flying_bytes == 0;
  pthread_mutex_unlock(&lane->lock);
  return job;
}

static void wait_for_either(struct cbt_lane *lane) {
  const struct cbt_nbd *nbd = lane->nbd;
  unsigned direction = lane->flying_bytes > 0 ? nbd->aio_get_direction(lane->later) : 0;
  struct pollfd on[2] = {{lane->wake, POLLIN, 0}, {direction == 0 ? -1 : nbd->aio_get_fd(lane->later), 0, 0}};
  if (direction & READABLE) on[1].events |= POLLIN;
  if (direction & WRITABLE) on[1].events |= POLLOUT;
  int got = poll(on, 2, direction == 0 ? -1 : CBT_TURN_MS);
  if (got < 0) return;
  /* Who wakes this thread is no sign of the server's, nor of its silence. */
  if (direction != 0 && (got == 0 || on[1].revents != 0))
    count_turn(nbd, lane->later, got > 0, &lane->quiet, &lane->failure);
  eventfd_t count;
  if (on[0].revents != 0) eventfd_read(lane->wake, &count);
  /* Reading first: it tells of a connection that broke, too. */
  if (on[1].revents & (POLLIN | POLLHUP | POLLERR))
    nbd->aio_notify_read(lane->later);
  else if (on[1].revents & POLLOUT)
    nbd->aio_notify_write(lane->later);
}

static void *run(void *argument) {
  struct cbt_lane *lane = argument;
  for (bool ends = false; !ends;) {
    struct cbt_lane_job *job = next_job(lane, &ends);
    if (job != NULL)
      while (job->asked < job->bytes) {
        bool all = job->asked + request_bytes(job->writes) >= job->bytes;
        ask(lane, job);
        /* With the last one it may be over. */
        if (all) break;
      }
    else if (!ends && lane->finished == NULL)
      wait_for_either(lane);
    tell_finished(lane);
  }
  return NULL;
}

/* With `lock` held. */
static void start(struct cbt_lane *lane, struct cbt_lane_failure *failure) {
  if (lane->runs) return;
  lane->later = connect_to(lane->nbd, lane->uri, failure);
  if (lane->later == NULL) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  lane->runs = pthread_create(&lane->thread, NULL, run, lane) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (lane->runs) return;
  fail(failure, EAGAIN, "there is no thread more");
  disconnect(lane->nbd, lane->later);
  lane->later = NULL;
}

VixError cbt_lane_later(struct cbt_lane *lane, struct cbt_lane_job *job) {
  job->next = NULL;
  job->lane = lane;
  job->asked = 0;
  job->flying = 0;
  pthread_mutex_lock(&lane->lock);
  start(lane, &job->failure);
  bool taken = job->failure.error == 0, wake = taken && lane->sleeps;
  if (taken) {
    *lane->last = job;
    lane->last = &job->next;
    lane->sleeps = false;
  }
  pthread_mutex_unlock(&lane->lock);
  if (wake) eventfd_write(lane->wake, 1);
  return taken ? VIX_OK : cbt_lane_code(&job->failure);
}
