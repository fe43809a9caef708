/* Disks: their bytes, in pieces that are all on their way at once, their maps, and the structures that only C has. */
#include "calls.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, PIECE_BYTES = 1 << 20 };

/* A transfer that somebody waits for. */
struct waited {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool over;
  struct cbt_transfer transfer;
};

static void end_waited(struct cbt_transfer *transfer) {
  struct waited *waited = (struct waited *)((char *)transfer - offsetof(struct waited, transfer));
  pthread_mutex_lock(&waited->lock);
  waited->over = true;
  pthread_cond_signal(&waited->ended);
  pthread_mutex_unlock(&waited->lock);
}

/* Bytes of a handle, from one place on: of a disk counted in `unit` of 512, of a map in one of 1. */
struct transfer {
  const char *name;
  PRL_HANDLE of;
  uint64_t start;
  uint32_t bytes;
  uint32_t unit;
  uint8_t *into;
  const uint8_t *from;
};

/*
 * Pieces end where granules of the disk do, as what passes its end is told by the granule. One piece at least: whether the handle is one,
 * and what it says to no bytes, the command knows.
 */
static uint32_t piece_bytes(const struct transfer *all, uint32_t done) {
  uint64_t at = all->start * all->unit + done;
  uint64_t piece = PIECE_BYTES - at % PIECE_BYTES % (64 << 10);
  return all->bytes - done < piece ? all->bytes - done : (uint32_t)piece;
}

static void send_piece(const struct cbt_session *session, const struct transfer *all, struct cbt_pending *pending,
                       uint32_t done, uint32_t bytes) {
  struct cbt_writer message;
  cbt_write_begin(&message);
  cbt_write_text(&message, all->name);
  cbt_write_u64(&message, cbt_handle_number(session, all->of));
  cbt_write_u64(&message, all->start + done / all->unit);
  cbt_write_u64(&message, bytes);
  if (all->from != NULL) cbt_write_bytes_head(&message, bytes);
  cbt_channel_send_piece(session->channel, &message, pending, all->from == NULL ? NULL : all->from + done,
                         all->from == NULL ? 0 : bytes);
  cbt_write_end(&message);
}

static cbt_code run(const struct cbt_session *session, const struct transfer *all) {
  uint32_t count = 0, done = 0;
  do {
    done += piece_bytes(all, done);
    count++;
  } while (done < all->bytes);
  struct waited *waited = calloc(1, sizeof *waited + count * sizeof(struct cbt_pending));
  if (waited == NULL) return CBT_NO_MEMORY;
  pthread_mutex_init(&waited->lock, NULL);
  pthread_cond_init(&waited->ended, NULL);
  waited->transfer.left = count;
  waited->transfer.ended = end_waited;
  done = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct cbt_pending *pending = &waited->transfer.pieces[i];
    uint32_t bytes = piece_bytes(all, done);
    pending->transfer = &waited->transfer;
    pending->into = all->into == NULL ? NULL : all->into + done;
    pending->bytes = bytes;
    send_piece(session, all, pending, done, bytes);
    done += bytes;
  }
  pthread_mutex_lock(&waited->lock);
  while (!waited->over) pthread_cond_wait(&waited->ended, &waited->lock);
  pthread_mutex_unlock(&waited->lock);
  cbt_code code = waited->transfer.code;
  pthread_cond_destroy(&waited->ended);
  pthread_mutex_destroy(&waited->lock);
  free(waited);
  return code;
}

/* How much of it comes before its last piece. */
static uint32_t bytes_before_last(const struct transfer *all) {
  uint32_t before = 0;
  for (uint32_t done = 0; done < all->bytes; done += piece_bytes(all, done)) before = done;
  return before;
}

static PRL_RESULT transfer(const struct transfer *all) {
  /* No place of a piece wraps. */
  if (all->start > (UINT64_MAX - all->bytes) / all->unit) return PRL_ERR_INVALID_ARG;
  struct cbt_session session;
  if (!cbt_session_take(&session)) return cbt_no_session(all->name);
  struct transfer rest = *all;
  cbt_code code = CBT_OK;
  uint32_t before = all->from == NULL ? 0 : bytes_before_last(all);
  if (before > 0) {
    /* The last piece alone passes the end of the disk, or has no whole sectors: of what is refused for that nothing is written. */
    struct transfer last = *all;
    last.start += before / all->unit;
    last.from += before;
    last.bytes -= before;
    rest.bytes = before;
    code = run(&session, &last);
  }
  if (code == CBT_OK) code = run(&session, &rest);
  cbt_channel_drop(session.channel);
  return cbt_result(code);
}

CBT_API PRL_RESULT PrlDisk_Read(const PRL_HANDLE Handle, PRL_VOID_PTR pBlock, const PRL_UINT32 uiSize,
                                const PRL_UINT64 uiBlockOffset) {
  if (pBlock == NULL) return PRL_ERR_INVALID_ARG;
  return transfer(&(struct transfer){"PrlDisk_Read", Handle, uiBlockOffset, uiSize, SECTOR, pBlock, NULL});
}

CBT_API PRL_RESULT PrlDisk_Write(const PRL_HANDLE Handle, PRL_CONST_VOID_PTR pBlock, const PRL_UINT32 uiSize,
                                 const PRL_UINT64 uiBlockOffset) {
  if (pBlock == NULL) return PRL_ERR_INVALID_ARG;
  return transfer(&(struct transfer){"PrlDisk_Write", Handle, uiBlockOffset, uiSize, SECTOR, NULL, pBlock});
}

CBT_API PRL_RESULT PrlDiskMap_Read(PRL_HANDLE hMap, PRL_VOID_PTR pBuffer, PRL_UINT32_PTR pnCapacity) {
  /* How long it is, and whether so much fits, the command says; the bytes come after it. */
  uint32_t room = pnCapacity == NULL ? 0 : *pnCapacity;
  PRL_RESULT result = cbt_call("PrlDiskMap_Read", "huOu", hMap, (uint32_t)(pBuffer != NULL), pnCapacity, room);
  if (result != PRL_ERR_SUCCESS || pBuffer == NULL) return result;
  if (pnCapacity == NULL || *pnCapacity > room) return PRL_ERR_UNEXPECTED;
  return transfer(&(struct transfer){"PrlDiskMap_Bytes", hMap, 0, *pnCapacity, 1, pBuffer, NULL});
}

CBT_API PRL_RESULT PrlDisk_CreateDisk_Local(PRL_HANDLE_PTR pHandle, PRL_CONST_STR pDiskName,
                                            PRL_CONST_DISK_PARAMETERS_PTR pParams, const PRL_DISK_CALLBACK pCallback,
                                            PRL_CONST_VOID_PTR pAdditional) {
  (void)pAdditional;
  uint64_t sectors = pParams == NULL ? 0 : pParams->m_SizeInSectors;
  return cbt_call("PrlDisk_CreateDisk_Local", "HduUu", pHandle, pDiskName, (uint32_t)(pParams != NULL), sectors,
                  (uint32_t)(pCallback != NULL));
}

/* The structure, its storage and its texts in the caller's one buffer: the command lays them out, and here they are pointed at. */
CBT_API PRL_RESULT PrlDisk_GetDiskInfo(const PRL_HANDLE Handle, PRL_DISK_PARAMETERS_PTR pDiskParameters,
                                       PRL_UINT32_PTR BufferSize) {
  uint32_t room = BufferSize == NULL ? 0 : *BufferSize;
  PRL_RESULT result = cbt_call("PrlDisk_GetDiskInfo", "hS", Handle, pDiskParameters, BufferSize);
  if (result != PRL_ERR_SUCCESS || room == 0) return result;
  struct {
    PRL_DISK_PARAMETERS disk;
    PRL_STORAGE_PARAMETERS storage;
  } __attribute__((packed)) *const head = (void *)pDiskParameters;
  if (head == NULL || *BufferSize > room || *BufferSize < sizeof *head + 2) return PRL_ERR_UNEXPECTED;
  char *text = (char *)(head + 1), *const end = (char *)head + *BufferSize;
  const char *next = memchr(text, '\0', (size_t)(end - text));
  if (next == NULL || next + 1 == end || end[-1] != '\0') return PRL_ERR_UNEXPECTED;
  head->disk.m_Storages = &head->storage;
  head->storage.m_FileName = text;
  head->disk.m_Name = text + (next + 1 - text);
  return PRL_ERR_SUCCESS;
}
