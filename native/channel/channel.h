/*
 * The way to the command: calls and their answers, many at a time. One thread reads what arrives; who calls waits for his own answer.
 * When the command goes away, or says nothing for a minute, every call is answered CBT_LOST, and none hangs.
 */
#ifndef CBT_CHANNEL_H
#define CBT_CHANNEL_H

#include "values.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sdk.h"

struct cbt_channel;
struct cbt_transfer;

/* How far a call is, in percent. */
typedef char (*cbt_progress)(void *data, int percent);

/* A call on its way: of a caller that waits, or a piece of a transfer. */
struct cbt_pending {
  struct cbt_pending *next;
  uint32_t id;
  /* Of a caller that waits. */
  pthread_cond_t answered;
  bool done;
  cbt_code code;
  uint8_t *body;
  struct cbt_reader values; /* behind the code */
  int percents[8];
  unsigned percent_count;
  /* Of a transfer. */
  struct cbt_transfer *transfer;
  uint8_t *into; /* what a read gives; NULL for a write */
  size_t bytes;
};

/* What is told when a transfer has ended; on the thread that reads, with nothing locked. It must not wait. */
typedef void (*cbt_transfer_end)(struct cbt_transfer *transfer);

/* A read or a write in pieces. */
struct cbt_transfer {
  unsigned left;
  cbt_code code; /* the first that was not CBT_OK */
  cbt_transfer_end ended;
  struct cbt_pending pieces[];
};

/* What the command tells without having been asked: two numbers. Called on the thread that reads; it must not wait. */
typedef void (*cbt_event)(uint64_t of, uint64_t about);

/* Starts the command and greets it; CBT_OK with the channel, else a text that says why not. `event`: NULL where there are none. */
cbt_code cbt_channel_open(const char *command, cbt_event event, struct cbt_channel **channel, char *why, size_t why_room);
struct cbt_channel *cbt_channel_keep(struct cbt_channel *channel);
void cbt_channel_drop(struct cbt_channel *channel);
/* Ends it: the command sees the end, the thread that reads has ended. */
void cbt_channel_close(struct cbt_channel *channel);
bool cbt_channel_is_dead(struct cbt_channel *channel);

/*
 * Sends a call and waits for its answer. `progress`, where there is one, is called on this thread. The answer's values are in `pending`
 * until cbt_pending_end.
 */
cbt_code cbt_channel_call(struct cbt_channel *channel, struct cbt_writer *message, struct cbt_pending *pending,
                          cbt_progress progress, void *progress_data);
void cbt_pending_end(struct cbt_pending *pending);

/* Sends a piece of a transfer, with the bytes behind it that it writes; `pending` is set up but for its id. */
void cbt_channel_send_piece(struct cbt_channel *channel, struct cbt_writer *message, struct cbt_pending *pending,
                            const uint8_t *bytes, size_t length);

/* The next line that the command logged, or NULL; the caller frees it. */
char *cbt_channel_next_line(struct cbt_channel *channel);

#endif
