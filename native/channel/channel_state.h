/* What a channel is inside: for the files that make one and that use it. */
#ifndef CBT_CHANNEL_STATE_H
#define CBT_CHANNEL_STATE_H

#include "channel.h"

#include <stdatomic.h>

#include "silence.h"

enum { CBT_BUCKETS = 256, CBT_READ_AHEAD = 64 << 10 };

struct cbt_line {
  struct cbt_line *next;
  char text[];
};

struct cbt_channel {
  atomic_uint references;
  int fd;
  cbt_event event;
  pthread_t thread;
  pthread_mutex_t sending; /* taken before `lock`, never after it */
  pthread_mutex_t lock;    /* of all that is below */
  struct cbt_pending *pending[CBT_BUCKETS];
  uint32_t next_id;
  bool dead;
  unsigned waiting; /* calls and pieces without an answer */
  struct cbt_line *first_line, **last_line;
  unsigned lines;
  /* Of the reading thread alone. */
  uint8_t *ahead;
  size_t ahead_at, ahead_end;
  bool answering; /* what waits for the answer that is being read is in `waiting` no more */
  unsigned quiet; /* turns without a byte, one after the other, while something waits */
};

/* The thread that reads: until the command goes away. */
void *cbt_channel_reading(void *channel);

#endif
