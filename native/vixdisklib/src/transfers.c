/*
 * Reads and writes: by the disk's own server where there is a way to it (lane.h), else through the command, in pieces that are all on
 * their way at once. What is read arrives where it belongs. A buffer is not touched any more when the call, or its callback, has been told.
 */
#include "lane.h"
#include "library.h"
#include "reasons.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 20, SECTOR = VIXDISKLIB_SECTOR_SIZE };

enum direction { READS, WRITES };

/* A read or write of a caller: waited for, or told by a callback. */
struct job {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool over;
  struct cbt_outcome outcome; /* without a callback: somebody waits */
  struct cbt_lane_job lane;
  struct cbt_transfer transfer;
};

static struct job *job_of(struct cbt_transfer *transfer) {
  return (struct job *)((char *)transfer - offsetof(struct job, transfer));
}

static void end_waited(struct cbt_transfer *transfer) {
  struct job *job = job_of(transfer);
  pthread_mutex_lock(&job->lock);
  job->over = true;
  pthread_cond_signal(&job->ended);
  pthread_mutex_unlock(&job->lock);
}

static void end_told(struct cbt_transfer *transfer) {
  struct job *job = job_of(transfer);
  job->outcome.code = transfer->code;
  cbt_reason_is_the_commands(transfer->code);
  cbt_outcome_tell(&job->outcome);
}

/* What is answered for a failure of the disk's server. Where the command is gone, its server is too. */
static VixError told_code(const struct cbt_object *disk, const struct cbt_lane_failure *failure, uint64_t offset,
                          size_t bytes) {
  VixError code = cbt_lane_code(failure);
  if (code == VIX_OK) return code;
  if (code == VIX_E_DISK_NOIO && cbt_channel_is_dead(disk->channel)) return VIX_E_HOST_CONNECTION_LOST;
  uint64_t from = offset / SECTOR;
  return cbt_refuse(code, "sectors %llu to %llu: %s", (unsigned long long)from,
                    (unsigned long long)(from + bytes / SECTOR), failure->why);
}

static VixError told_of(const struct job *job) {
  return told_code(job->outcome.disk, &job->lane.failure, job->lane.offset, job->lane.bytes);
}

static void end_in_lane(struct cbt_lane_job *lane) {
  struct job *job = (struct job *)((char *)lane - offsetof(struct job, lane));
  cbt_tells_outcomes();
  job->outcome.code = told_of(job);
  cbt_outcome_tell_here(&job->outcome);
}

static struct job *make_job(size_t pieces) {
  struct job *job = calloc(1, sizeof *job + pieces * sizeof(struct cbt_pending));
  if (job == NULL) return NULL;
  pthread_mutex_init(&job->lock, NULL);
  pthread_cond_init(&job->ended, NULL);
  job->transfer.left = (unsigned)pieces;
  return job;
}

static void free_job(struct job *job) {
  pthread_cond_destroy(&job->ended);
  pthread_mutex_destroy(&job->lock);
  free(job);
}

/* Why it cannot be done at all. */
static VixError check(const struct cbt_object *disk, uint64_t start, uint64_t count, const uint8 *buffer,
                      enum direction direction) {
  if (count > 0 && buffer == NULL) return cbt_refuse(VIX_E_INVALID_ARG, "there is no buffer");
  if (start > disk->capacity || count > disk->capacity - start) {
    return cbt_refuse(VIX_E_DISK_OUTOFRANGE, "%llu sectors from %llu on pass the end of the disk at %llu",
                      (unsigned long long)count, (unsigned long long)start, (unsigned long long)disk->capacity);
  }
  if (direction == WRITES && disk->read_only)
    return cbt_refuse(VIX_E_FILE_READ_ONLY, "the disk was opened for reading alone");
  return VIX_OK;
}

static size_t pieces_of(uint64_t count) { return (size_t)((count * SECTOR + PIECE_BYTES - 1) / PIECE_BYTES); }

/* Sends every piece. With the last one the job may be over, and gone. */
static void send_pieces(struct cbt_object *disk, struct job *job, uint64_t start, uint64_t count, uint8 *buffer,
                        enum direction direction) {
  size_t pieces = pieces_of(count);
  struct cbt_pending *pending = job->transfer.pieces;
  for (size_t i = 0; i < pieces; i++) {
    uint64_t sectors = count < PIECE_BYTES / SECTOR ? count : PIECE_BYTES / SECTOR;
    size_t bytes = (size_t)sectors * SECTOR;
    pending[i].transfer = &job->transfer;
    pending[i].into = direction == READS ? buffer : NULL;
    pending[i].bytes = bytes;
    struct cbt_writer message;
    cbt_write_begin(&message);
    cbt_write_text(&message, direction == READS ? "VixDiskLib_Read" : "VixDiskLib_Write");
    cbt_write_u64(&message, disk->number);
    cbt_write_u64(&message, start);
    cbt_write_u64(&message, sectors);
    if (direction == WRITES) cbt_write_bytes_head(&message, (uint32_t)bytes);
    cbt_channel_send_piece(disk->channel, &message, &pending[i], buffer, direction == WRITES ? bytes : 0);
    cbt_write_end(&message);
    start += sectors;
    count -= sectors;
    buffer += bytes;
  }
}

/* Through the command. */
static VixError transfer_by_command(struct cbt_object *disk, uint64_t start, uint64_t count, uint8 *buffer,
                                    enum direction direction) {
  struct job *job = make_job(pieces_of(count));
  if (job == NULL) return VIX_E_OUT_OF_MEMORY;
  job->transfer.ended = end_waited;
  send_pieces(disk, job, start, count, buffer, direction);
  pthread_mutex_lock(&job->lock);
  while (!job->over) pthread_cond_wait(&job->ended, &job->lock);
  pthread_mutex_unlock(&job->lock);
  VixError code = job->transfer.code;
  free_job(job);
  return code;
}

/* A disk that a read or write is begun on, and whether it can be done. */
static VixError enter(VixDiskLibHandle handle, uint64_t start, uint64_t count, const uint8 *buffer,
                      enum direction direction, bool later, struct cbt_object **disk) {
  VixError code = cbt_find(handle, CBT_DISK, disk);
  if (code != VIX_OK) return code;
  code = check(*disk, start, count, buffer, direction);
  if (code == VIX_OK && !cbt_object_enter(*disk, later)) code = VIX_E_INVALID_HANDLE;
  if (code != VIX_OK) cbt_object_drop(*disk);
  return code;
}

static VixError transfer_now(VixDiskLibHandle handle, uint64_t start, uint64_t count, uint8 *buffer,
                             enum direction direction) {
  struct cbt_object *disk;
  VixError code = enter(handle, start, count, buffer, direction, false, &disk);
  if (code != VIX_OK) return code;
  struct cbt_lane_failure failure = {0, ""};
  uint64_t offset = start * SECTOR;
  size_t bytes = count * SECTOR;
  if (count > 0 && disk->lane != NULL)
    cbt_lane_now(disk->lane, offset, bytes, buffer, direction == WRITES, &failure);
  else if (count > 0)
    code = transfer_by_command(disk, start, count, buffer, direction);
  cbt_object_leave(disk, false);
  /* Told with nothing held: the log function may close the disk. */
  if (failure.error != 0)
    code = told_code(disk, &failure, offset, bytes);
  else if (code != VIX_OK) {
    cbt_reason_is_the_commands(code);
    cbt_pass_lines_on(disk->channel);
  }
  cbt_object_drop(disk);
  return code;
}

/* VIX_OK, or why it could not be begun. */
static VixError begin_later(struct cbt_object *disk, struct job *job, uint64_t start, uint64_t count, uint8 *buffer,
                        enum direction direction) {
  if (count > 0 && disk->lane != NULL) {
    job->lane.buffer = buffer;
    job->lane.offset = start * SECTOR;
    job->lane.bytes = count * SECTOR;
    job->lane.writes = direction == WRITES;
    job->lane.ended = end_in_lane;
    return cbt_lane_later(disk->lane, &job->lane);
  }
  if (!cbt_outcomes_start()) return VIX_E_OUT_OF_MEMORY;
  job->transfer.ended = end_told;
  /* The outcome drops the disk, whose channel is used until the last piece is sent. */
  struct cbt_channel *channel = cbt_channel_keep(disk->channel);
  if (count == 0)
    end_told(&job->transfer);
  else
    send_pieces(disk, job, start, count, buffer, direction);
  cbt_channel_drop(channel);
  return VIX_OK;
}

static VixError transfer_later(VixDiskLibHandle handle, uint64_t start, uint64_t count, uint8 *buffer,
                               enum direction direction, VixDiskLibCompletionCB callback, void *data) {
  struct cbt_object *disk;
  VixError code = enter(handle, start, count, buffer, direction, true, &disk);
  if (code != VIX_OK) return code;
  struct job *job = callback == NULL ? NULL : make_job(disk->lane == NULL ? pieces_of(count) : 0);
  if (job != NULL) {
    job->outcome.disk = disk;
    job->outcome.callback = callback;
    job->outcome.data = data;
    job->outcome.memory = job;
    code = begin_later(disk, job, start, count, buffer, direction);
    if (code == VIX_OK) return VIX_ASYNC;
  } else
    code = callback == NULL ? VIX_E_INVALID_ARG : VIX_E_OUT_OF_MEMORY;
  cbt_object_leave(disk, true);
  if (job != NULL) {
    if (job->lane.failure.error != 0) code = told_of(job);
    free_job(job);
  }
  cbt_object_drop(disk);
  return code;
}

CBT_API VixError VixDiskLib_Read(VixDiskLibHandle diskHandle, VixDiskLibSectorType startSector,
                                 VixDiskLibSectorType numSectors, uint8 *readBuffer) {
  return transfer_now(diskHandle, startSector, numSectors, readBuffer, READS);
}

CBT_API VixError VixDiskLib_Write(VixDiskLibHandle diskHandle, VixDiskLibSectorType startSector,
                                  VixDiskLibSectorType numSectors, const uint8 *writeBuffer) {
  return transfer_now(diskHandle, startSector, numSectors, (uint8 *)(uintptr_t)writeBuffer, WRITES);
}

CBT_API VixError VixDiskLib_ReadAsync(VixDiskLibHandle diskHandle, VixDiskLibSectorType startSector,
                                      VixDiskLibSectorType numSectors, uint8 *readBuffer,
                                      VixDiskLibCompletionCB callback, void *cbData) {
  return transfer_later(diskHandle, startSector, numSectors, readBuffer, READS, callback, cbData);
}

CBT_API VixError VixDiskLib_WriteAsync(VixDiskLibHandle diskHandle, VixDiskLibSectorType startSector,
                                       VixDiskLibSectorType numSectors, const uint8 *writeBuffer,
                                       VixDiskLibCompletionCB callback, void *cbData) {
  return transfer_later(diskHandle, startSector, numSectors, (uint8 *)(uintptr_t)writeBuffer, WRITES, callback,
                        cbData);
}
