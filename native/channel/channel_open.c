/* Starting the command, and greeting it. */
#include "channel_state.h"
#include "descriptors.h"
#include "spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The threads of the library take no signal of the program's. */
static int start_reading(struct cbt_channel *channel) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&channel->thread, NULL, cbt_channel_reading, channel);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed;
}

static struct cbt_channel *make_channel(int fd, cbt_event event) {
  struct cbt_channel *channel = calloc(1, sizeof *channel);
  uint8_t *ahead = malloc(CBT_READ_AHEAD);
  if (channel == NULL || ahead == NULL) {
    free(channel);
    free(ahead);
    close(fd);
    return NULL;
  }
  channel->ahead = ahead;
  channel->fd = fd;
  channel->event = event;
  cbt_descriptor_own(fd);
  channel->next_id = 1;
  channel->last_line = &channel->first_line;
  atomic_store(&channel->references, 1);
  pthread_mutex_init(&channel->lock, NULL);
  pthread_mutex_init(&channel->sending, NULL);
  /* The thread that reads looks up once a turn. Who sends has no limit of his own: what he sends is waited for, too. */
  const struct timeval turn = {CBT_TURN_MS / 1000, CBT_TURN_MS % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &turn, sizeof turn);
  if (start_reading(channel) == 0) return channel;
  cbt_channel_drop(channel);
  return NULL;
}

/* What the command said before it went away, behind what is known. */
static void add_last_words(int errors, char *why, size_t why_room) {
  size_t used = strlen(why);
  if (used + 3 >= why_room) return;
  ssize_t got = pread(errors, why + used + 2, why_room - used - 3, 0);
  if (got <= 0) return;
  memcpy(why + used, ": ", 2);
  why[used + 2 + (size_t)got] = '\0';
}

cbt_code cbt_channel_open(const char *command, cbt_event event, struct cbt_channel **out, char *why, size_t why_room) {
  int errors;
  int fd = cbt_spawn(command, &errors, why, why_room);
  if (fd < 0) return CBT_NO_START;
  struct cbt_channel *channel = make_channel(fd, event);
  if (channel == NULL) {
    close(errors);
    snprintf(why, why_room, "there is no memory, or no thread more");
    return CBT_NO_MEMORY;
  }
  struct cbt_writer hello;
  cbt_write_begin(&hello);
  cbt_write_text(&hello, "hello");
  cbt_write_u64(&hello, CBT_PROTOCOL_VERSION);
  cbt_write_text(&hello, CBT_VERSION);
  cbt_write_text(&hello, CBT_SDK);
  struct cbt_pending answer;
  cbt_code code = cbt_channel_call(channel, &hello, &answer, NULL, NULL);
  cbt_write_end(&hello);
  if (code != CBT_OK) {
    size_t length = 0;
    const uint8_t *text = cbt_read_bytes(&answer.values, &length);
    if (text != NULL)
      snprintf(why, why_room, "%.*s", (int)length, (const char *)text);
    else {
      snprintf(why, why_room, "the command qemu-cbt ended before it answered");
      add_last_words(errors, why, why_room);
    }
    cbt_channel_close(channel);
    cbt_channel_drop(channel);
    channel = NULL;
    code = CBT_NO_START;
  }
  cbt_pending_end(&answer);
  close(errors);
  *out = channel;
  return code;
}
