/*
 * Reads and writes: by the disk's own server where there is a way to it (lane.h), else through the command, in pieces that are all on
 * their way at once. What is read arrives where it belongs. A buffer is not touched any more when the call, or its callback, has been told.
 */
#include "lane.h"
#include "library.h"

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
  cbt_outcome_tell(&job->outcome);
}

/* Where the command is gone, its server is too. */
static VixError told_code(const struct cbt_object *disk, VixError code) {
  return code == VIX_E_DISK_NOIO && cbt_channel_is_dead(disk->channel) ? VIX_E_HOST_CONNECTION_LOST : code;
}

static void end_in_lane(struct cbt_lane_job *lane) {
  struct job *job = (struct job *)((char *)lane - offsetof(struct job, lane));
  job->outcome.code = told_code(job->outcome.disk, lane->code);
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
  if (count > 0 && buffer == NULL) return VIX_E_INVALID_ARG;
  if (start > disk->capacity || count > disk->capacity - start) {
    cbt_log("sectors %llu to %llu pass the end of the disk at %llu\n", (unsigned long long)start,
            (unsigned long long)(start + count), (unsigned long long)disk->capacity);
    return VIX_E_DISK_OUTOFRANGE;
  }
  return direction == WRITES && disk->read_only ? VIX_E_FILE_READ_ONLY : VIX_OK;
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
                      enum direction direction, struct cbt_object **disk) {
  VixError code = cbt_find(handle, CBT_DISK, disk);
  if (code != VIX_OK) return code;
  code = check(*disk, start, count, buffer, direction);
  if (code == VIX_OK && !cbt_object_enter(*disk)) code = VIX_E_INVALID_HANDLE;
  if (code != VIX_OK) cbt_object_drop(*disk);
  return code;
}

static VixError transfer_now(VixDiskLibHandle handle, uint64_t start, uint64_t count, uint8 *buffer,
                             enum direction direction) {
  struct cbt_object *disk;
  VixError code = enter(handle, start, count, buffer, direction, &disk);
  if (code != VIX_OK) return code;
  if (count > 0 && disk->lane != NULL)
    code = told_code(disk, cbt_lane_now(disk->lane, start * SECTOR, count * SECTOR, buffer, direction == WRITES));
  else if (count > 0)
    code = transfer_by_command(disk, start, count, buffer, direction);
  cbt_object_leave(disk);
  cbt_object_drop(disk);
  return code;
}

/* False where it could not be begun. */
static bool begin_later(struct cbt_object *disk, struct job *job, uint64_t start, uint64_t count, uint8 *buffer,
                        enum direction direction) {
  if (count > 0 && disk->lane != NULL) {
    job->lane.buffer = buffer;
    job->lane.offset = start * SECTOR;
    job->lane.bytes = count * SECTOR;
    job->lane.writes = direction == WRITES;
    job->lane.ended = end_in_lane;
    return cbt_lane_later(disk->lane, &job->lane);
  }
  if (!cbt_outcomes_start()) return false;
  job->transfer.ended = end_told;
  /* The outcome drops the disk, whose channel is used until the last piece is sent. */
  struct cbt_channel *channel = cbt_channel_keep(disk->channel);
  if (count == 0)
    end_told(&job->transfer);
  else
    send_pieces(disk, job, start, count, buffer, direction);
  cbt_channel_drop(channel);
  return true;
}

static VixError transfer_later(VixDiskLibHandle handle, uint64_t start, uint64_t count, uint8 *buffer,
                               enum direction direction, VixDiskLibCompletionCB callback, void *data) {
  struct cbt_object *disk;
  VixError code = enter(handle, start, count, buffer, direction, &disk);
  if (code != VIX_OK) return code;
  struct job *job = callback == NULL ? NULL : make_job(disk->lane == NULL ? pieces_of(count) : 0);
  if (job != NULL) {
    job->outcome.disk = disk;
    job->outcome.callback = callback;
    job->outcome.data = data;
    job->outcome.memory = job;
    if (begin_later(disk, job, start, count, buffer, direction)) return VIX_ASYNC;
    free_job(job);
  }
  cbt_object_leave(disk);
  cbt_object_drop(disk);
  return callback == NULL ? VIX_E_INVALID_ARG : VIX_E_OUT_OF_MEMORY;
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
