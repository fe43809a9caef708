/*
 * Whatever a command sends: a call that waits for an answer and a read in two pieces end once each, nothing is written past the memory
 * that is theirs, and when nothing more comes, all has ended.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_state.h"

enum { MOST_INPUT = 65536, PIECE = 512, PIECES = 2 };

static unsigned ended, events;
static uint8_t *buffer;

static void end_transfer(struct cbt_transfer *transfer) {
  (void)transfer;
  ended++;
}

static void count_event(uint64_t of, uint64_t about) {
  (void)of;
  (void)about;
  events++;
}

static struct cbt_channel *make_channel(int fd) {
  struct cbt_channel *channel = calloc(1, sizeof *channel);
  channel->ahead = malloc(CBT_READ_AHEAD);
  channel->fd = fd;
  channel->event = count_event;
  channel->next_id = 1;
  channel->last_line = &channel->first_line;
  atomic_store(&channel->references, 1);
  pthread_mutex_init(&channel->lock, NULL);
  pthread_mutex_init(&channel->sending, NULL);
  return channel;
}

/* Asks, and reads every value of the answer in each way that there is. */
static void *call(void *argument) {
  struct cbt_writer message;
  struct cbt_pending answer;
  cbt_write_begin(&message);
  cbt_write_text(&message, "call");
  cbt_channel_call(argument, &message, &answer, NULL, NULL);
  cbt_write_end(&message);
  for (unsigned turn = 0; !answer.values.broken && answer.values.left > 0; turn++) {
    size_t length;
    if (cbt_read_nothing(&answer.values)) continue;
    if (*answer.values.data == 1) {
      cbt_read_u64(&answer.values);
      continue;
    }
    const uint8_t *bytes = cbt_read_bytes(&answer.values, &length);
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++) sum += bytes[i];
    if (sum == 0xffffffffu) abort();
  }
  cbt_pending_end(&answer);
  return NULL;
}

static void send_all(int fd, const uint8_t *data, size_t size) {
  for (ssize_t sent; size > 0 && (sent = send(fd, data, size, MSG_NOSIGNAL)) > 0; size -= (size_t)sent) data += sent;
}

static unsigned waiting(struct cbt_channel *channel) {
  pthread_mutex_lock(&channel->lock);
  unsigned count = channel->waiting;
  pthread_mutex_unlock(&channel->lock);
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int pair[2];
  if (size > MOST_INPUT || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 0;
  struct cbt_channel *channel = make_channel(pair[0]);
  ended = 0;
  buffer = malloc(PIECES * PIECE);
  struct cbt_transfer *transfer = calloc(1, sizeof *transfer + PIECES * sizeof(struct cbt_pending));
  transfer->left = PIECES;
  transfer->ended = end_transfer;
  for (unsigned i = 0; i < PIECES; i++) {
    struct cbt_pending *piece = &transfer->pieces[i];
    struct cbt_writer message;
    piece->transfer = transfer;
    piece->into = buffer + i * PIECE;
    piece->bytes = PIECE;
    cbt_write_begin(&message);
    cbt_write_text(&message, "read");
    cbt_channel_send_piece(channel, &message, piece, NULL, 0);
    cbt_write_end(&message);
  }
  pthread_t caller;
  if (pthread_create(&caller, NULL, call, channel) != 0) abort();
  /* Nothing is answered before it is asked: the pieces are 1 and 2, the call 3. */
  while (waiting(channel) < PIECES + 1) sched_yield();
  send_all(pair[1], data, size);
  shutdown(pair[1], SHUT_WR);
  cbt_channel_reading(channel);
  pthread_join(caller, NULL);
  if (ended != 1 || channel->waiting != 0 || !cbt_channel_is_dead(channel)) abort();
  cbt_channel_drop(channel);
  close(pair[1]);
  free(transfer);
  free(buffer);
  return 0;
}
