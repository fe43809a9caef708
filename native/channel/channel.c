#include "channel_state.h"
#include "descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_LINES = 1000 };

static struct cbt_pending **place_of(struct cbt_channel *channel, uint32_t id) {
  struct cbt_pending **at = &channel->pending[id % CBT_BUCKETS];
  while (*at != NULL && (*at)->id != id) at = &(*at)->next;
  return at;
}

/* With `lock` held: takes it out of the calls that wait. */
static struct cbt_pending *take_pending(struct cbt_channel *channel, uint32_t id) {
  struct cbt_pending **at = place_of(channel, id), *found = *at;
  if (found == NULL) return NULL;
  *at = found->next;
  channel->waiting--;
  return found;
}

/* With `lock` held, for what was taken out: gives the transfer where that was its last piece. */
static struct cbt_transfer *settle(struct cbt_pending *pending, cbt_code code) {
  struct cbt_transfer *transfer = pending->transfer;
  if (transfer == NULL) {
    pending->code = code;
    pending->done = true;
    pthread_cond_signal(&pending->answered);
    return NULL;
  }
  if (transfer->code == CBT_OK) transfer->code = code;
  return --transfer->left == 0 ? transfer : NULL;
}

static void finish(struct cbt_channel *channel, struct cbt_pending *pending, cbt_code code) {
  pthread_mutex_lock(&channel->lock);
  struct cbt_transfer *ended = settle(pending, code);
  pthread_mutex_unlock(&channel->lock);
  if (ended != NULL) ended->ended(ended);
}

/* Nothing comes any more: whoever waits is told, and whoever comes later. */
static void die(struct cbt_channel *channel) {
  pthread_mutex_lock(&channel->lock);
  channel->dead = true;
  pthread_mutex_unlock(&channel->lock);
  shutdown(channel->fd, SHUT_RDWR);
  /* Who still sends is thrown out first: he reads from a buffer that is the program's again as soon as it is told. */
  pthread_mutex_lock(&channel->sending);
  pthread_mutex_unlock(&channel->sending);
  pthread_mutex_lock(&channel->lock);
  for (size_t bucket = 0; bucket < CBT_BUCKETS; bucket++) {
    struct cbt_pending *pending;
    while ((pending = channel->pending[bucket]) != NULL) {
      channel->pending[bucket] = pending->next;
      channel->waiting--;
      struct cbt_transfer *ended = settle(pending, CBT_LOST);
      if (ended == NULL) continue;
      pthread_mutex_unlock(&channel->lock);
      ended->ended(ended);
      pthread_mutex_lock(&channel->lock);
    }
  }
  pthread_mutex_unlock(&channel->lock);
}

/* After a turn in which nothing came: whether the command has been silent for so long that it is taken for gone. */
static bool is_silent(struct cbt_channel *channel) {
  pthread_mutex_lock(&channel->lock);
  bool waits = channel->waiting > 0 || channel->answering;
  pthread_mutex_unlock(&channel->lock);
  channel->quiet = waits ? channel->quiet + 1 : 0;
  return channel->quiet >= CBT_TURNS;
}

/* So many bytes as they come; false at the end, which a long silence is too. */
static bool receive(struct cbt_channel *channel, void *to, size_t bytes) {
  uint8_t *at = to;
  while (bytes > 0) {
    size_t there = channel->ahead_end - channel->ahead_at;
    if (there > 0) {
      size_t part = there < bytes ? there : bytes;
      memcpy(at, channel->ahead + channel->ahead_at, part);
      channel->ahead_at += part;
      at += part;
      bytes -= part;
      continue;
    }
    bool straight = bytes >= CBT_READ_AHEAD;
    ssize_t got = recv(channel->fd, straight ? at : channel->ahead, straight ? bytes : CBT_READ_AHEAD, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN && !is_silent(channel)) continue;
    if (got <= 0) return false;
    channel->quiet = 0;
    if (straight) {
      at += got;
      bytes -= (size_t)got;
    } else {
      channel->ahead_at = 0;
      channel->ahead_end = (size_t)got;
    }
  }
  return true;
}

static void add_line(struct cbt_channel *channel, const uint8_t *text, size_t length) {
  struct cbt_line *line = malloc(sizeof *line + length + 1);
  if (line == NULL) return;
  memcpy(line->text, text, length);
  line->text[length] = '\0';
  line->next = NULL;
  pthread_mutex_lock(&channel->lock);
  bool full = channel->lines >= MAX_LINES;
  if (!full) {
    *channel->last_line = line;
    channel->last_line = &line->next;
    channel->lines++;
  }
  pthread_mutex_unlock(&channel->lock);
  if (full) free(line);
}

/* The answer of a piece: its code, and the bytes of a read straight to where they go. */
static bool receive_piece(struct cbt_channel *channel, struct cbt_pending *pending, uint32_t length) {
  uint8_t head[14];
  cbt_code code = CBT_LOST;
  bool fits = length >= 9 && receive(channel, head, 9) && head[0] == 1;
  if (fits) {
    code = cbt_get_u64(head + 1);
    size_t bytes = code == CBT_OK && pending->into != NULL ? pending->bytes : 0;
    if (bytes == 0)
      fits = length == 9;
    else
      fits = length == 14 + bytes && receive(channel, head + 9, 5) && head[9] == 2 &&
             cbt_get_u32(head + 10) == bytes && receive(channel, pending->into, bytes);
  }
  finish(channel, pending, fits ? code : CBT_LOST);
  return fits;
}

static bool receive_answer(struct cbt_channel *channel, struct cbt_pending *pending, uint32_t length) {
  uint8_t *body = malloc(length > 0 ? length : 1);
  bool fits = body != NULL && receive(channel, body, length);
  struct cbt_reader values = {body, fits ? length : 0, !fits};
  cbt_code code = cbt_read_u64(&values);
  fits = fits && !values.broken;
  pending->body = body;
  pending->values = values;
  finish(channel, pending, fits ? code : CBT_LOST);
  return fits;
}

/* A line, how far a call is, or an event: short messages of no answer. */
static bool receive_note(struct cbt_channel *channel, uint32_t id, uint32_t kind, uint32_t length) {
  uint8_t *body = malloc(length > 0 ? length : 1);
  bool fits = body != NULL && receive(channel, body, length);
  struct cbt_reader values = {body, fits ? length : 0, !fits};
  if (fits && kind == CBT_LOG) {
    size_t bytes;
    const uint8_t *text = cbt_read_bytes(&values, &bytes);
    if (text != NULL) add_line(channel, text, bytes);
  } else if (fits && kind == CBT_PROGRESS) {
    uint64_t percent = cbt_read_u64(&values);
    pthread_mutex_lock(&channel->lock);
    struct cbt_pending *pending = *place_of(channel, id);
    size_t room = pending == NULL ? 0 : sizeof pending->percents / sizeof *pending->percents;
    if (pending != NULL && pending->transfer == NULL && percent <= 100 && pending->percent_count < room) {
      pending->percents[pending->percent_count++] = (int)percent;
      pthread_cond_signal(&pending->answered);
    }
    pthread_mutex_unlock(&channel->lock);
  } else if (fits && kind == CBT_EVENT) {
    uint64_t of = cbt_read_u64(&values), about = cbt_read_u64(&values);
    if (!values.broken) channel->event(of, about);
  }
  fits = fits && !values.broken && values.left == 0;
  free(body);
  return fits;
}

static bool receive_message(struct cbt_channel *channel) {
  uint8_t header[CBT_HEADER_BYTES];
  if (!receive(channel, header, sizeof header)) return false;
  uint32_t length = cbt_get_u32(header), id = cbt_get_u32(header + 4), kind = cbt_get_u32(header + 8);
  if (length > CBT_MAX_BODY_BYTES) return false;
  pthread_mutex_lock(&channel->lock);
  struct cbt_pending *pending = kind == CBT_REPLY ? take_pending(channel, id) : NULL;
  pthread_mutex_unlock(&channel->lock);
  if (pending != NULL) {
    channel->answering = true;
    bool fits = pending->transfer != NULL ? receive_piece(channel, pending, length)
                                          : receive_answer(channel, pending, length);
    channel->answering = false;
    return fits;
  }
  bool is_note = kind == CBT_LOG || kind == CBT_PROGRESS || kind == CBT_ALIVE || (kind == CBT_EVENT && channel->event != NULL);
  return is_note && receive_note(channel, id, kind, length);
}

void *cbt_channel_reading(void *argument) {
  struct cbt_channel *channel = argument;
  while (receive_message(channel)) {
  }
  die(channel);
  return NULL;
}

/* Whole or not at all: what was sent in part ends the channel. */
static void send_message(struct cbt_channel *channel, struct cbt_writer *message, struct cbt_pending *pending,
                         const uint8_t *bytes, size_t length) {
  pthread_mutex_lock(&channel->sending);
  pthread_mutex_lock(&channel->lock);
  bool dead = channel->dead;
  if (!dead) {
    do pending->id = channel->next_id++;
    while (*place_of(channel, pending->id) != NULL);
    pending->next = channel->pending[pending->id % CBT_BUCKETS];
    channel->pending[pending->id % CBT_BUCKETS] = pending;
    channel->waiting++;
    cbt_write_header(message, pending->id, CBT_CALL, (uint32_t)length);
  }
  pthread_mutex_unlock(&channel->lock);
  struct iovec parts[2] = {{message->data, message->used}, {(void *)(uintptr_t)bytes, length}};
  struct msghdr header;
  memset(&header, 0, sizeof header);
  header.msg_iov = parts;
  header.msg_iovlen = length > 0 ? 2 : 1;
  bool failed = false;
  while (!dead && !failed && header.msg_iovlen > 0) {
    ssize_t sent = sendmsg(channel->fd, &header, MSG_NOSIGNAL);
    failed = sent < 0 && errno != EINTR;
    for (size_t left = sent > 0 ? (size_t)sent : 0; left > 0 && header.msg_iovlen > 0;) {
      size_t part = left < header.msg_iov->iov_len ? left : header.msg_iov->iov_len;
      header.msg_iov->iov_base = (uint8_t *)header.msg_iov->iov_base + part;
      header.msg_iov->iov_len -= part;
      left -= part;
      if (header.msg_iov->iov_len > 0) break;
      header.msg_iov++;
      header.msg_iovlen--;
    }
  }
  pthread_mutex_unlock(&channel->sending);
  if (dead) finish(channel, pending, CBT_LOST);
  /* The reading thread then sees the end, and tells everybody. */
  if (failed) shutdown(channel->fd, SHUT_RDWR);
}

void cbt_channel_send_piece(struct cbt_channel *channel, struct cbt_writer *message, struct cbt_pending *pending,
                            const uint8_t *bytes, size_t length) {
  if (message->failed)
    finish(channel, pending, CBT_NO_MEMORY);
  else
    send_message(channel, message, pending, bytes, length);
}

cbt_code cbt_channel_call(struct cbt_channel *channel, struct cbt_writer *message, struct cbt_pending *pending,
                          cbt_progress progress, void *progress_data) {
  memset(pending, 0, sizeof *pending);
  if (message->failed) return CBT_NO_MEMORY;
  pthread_cond_init(&pending->answered, NULL);
  send_message(channel, message, pending, NULL, 0);
  unsigned told = 0;
  pthread_mutex_lock(&channel->lock);
  while (!pending->done || told < pending->percent_count) {
    if (told < pending->percent_count) {
      int percent = pending->percents[told++];
      pthread_mutex_unlock(&channel->lock);
      if (progress != NULL) progress(progress_data, percent);
      pthread_mutex_lock(&channel->lock);
      continue;
    }
    pthread_cond_wait(&pending->answered, &channel->lock);
  }
  pthread_mutex_unlock(&channel->lock);
  pthread_cond_destroy(&pending->answered);
  return pending->code;
}

void cbt_pending_end(struct cbt_pending *pending) {
  free(pending->body);
  pending->body = NULL;
}

bool cbt_channel_is_dead(struct cbt_channel *channel) {
  pthread_mutex_lock(&channel->lock);
  bool dead = channel->dead;
  pthread_mutex_unlock(&channel->lock);
  return dead;
}

char *cbt_channel_next_line(struct cbt_channel *channel) {
  char *text = NULL;
  pthread_mutex_lock(&channel->lock);
  struct cbt_line *line = channel->first_line;
  if (line != NULL) {
    channel->first_line = line->next;
    if (line->next == NULL) channel->last_line = &channel->first_line;
    channel->lines--;
  }
  pthread_mutex_unlock(&channel->lock);
  if (line != NULL) {
    text = strdup(line->text);
    free(line);
  }
  return text;
}

struct cbt_channel *cbt_channel_keep(struct cbt_channel *channel) {
  atomic_fetch_add(&channel->references, 1);
  return channel;
}

void cbt_channel_drop(struct cbt_channel *channel) {
  if (channel == NULL || atomic_fetch_sub(&channel->references, 1) != 1) return;
  for (char *line; (line = cbt_channel_next_line(channel)) != NULL;) free(line);
  cbt_descriptor_disown(channel->fd);
  close(channel->fd);
  free(channel->ahead);
  pthread_mutex_destroy(&channel->lock);
  pthread_mutex_destroy(&channel->sending);
  free(channel);
}

void cbt_channel_close(struct cbt_channel *channel) {
  shutdown(channel->fd, SHUT_RDWR);
  pthread_join(channel->thread, NULL);
}

