/*
 * A disk's bytes straight from the server that has them, by libnbd, without the command: a connection for callers that wait, which drive
 * it themselves, and one with a thread of its own for asynchronous calls, made by the first of those.
 */
#ifndef CBT_LANE_H
#define CBT_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vixDiskLib.h"

struct cbt_lane;

/* What went wrong first: no error number where nothing did. */
struct cbt_lane_failure {
  int error;
  char why[240];
};

/* An asynchronous read or write. */
struct cbt_lane_job {
  struct cbt_lane_job *next;
  uint8_t *buffer;
  uint64_t offset;
  size_t bytes;
  bool writes;
  /* Told on the lane's thread, with nothing locked, when nothing of it is on its way any more. */
  void (*ended)(struct cbt_lane_job *job);
  struct cbt_lane_failure failure;
  /* Of the lane's thread. */
  size_t asked;
  unsigned flying;
  struct cbt_lane *lane;
};

/* NULL where libnbd is not there, or the server does not show so many bytes. */
struct cbt_lane *cbt_lane_open(const char *uri, uint64_t bytes);
/* With nothing on its way, and nobody who uses it. */
void cbt_lane_close(struct cbt_lane *lane);
/* VIX_OK, or what `failure` means. A server that is silent for so long as silence.h says has failed. */
VixError cbt_lane_now(struct cbt_lane *lane, uint64_t offset, size_t bytes, uint8_t *buffer, bool writes,
                      struct cbt_lane_failure *failure);
/* VIX_OK: the job is told when it has ended. Else nothing is told, and `failure` of the job says why. */
VixError cbt_lane_later(struct cbt_lane *lane, struct cbt_lane_job *job);
VixError cbt_lane_code(const struct cbt_lane_failure *failure);

#endif
