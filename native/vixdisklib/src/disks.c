/* Open disks, what they are, and where they hold data. */
#include "lane.h"
#include "lent.h"
#include "library.h"
#include "reasons.h"

#include <stdlib.h>
#include <string.h>

/* For ever: callers keep the pointer. */
static const char *transport_of(const uint8_t *text, size_t length) {
  return length == 3 && memcmp(text, "nbd", 3) == 0 ? "nbd" : "file";
}

/* A way to the disk's bytes beside the command, where the answer names a server. */
static struct cbt_lane *open_lane(struct cbt_reader *values, uint64_t capacity) {
  size_t length;
  const uint8_t *text = cbt_read_bytes(values, &length);
  char *uri = text == NULL ? NULL : strndup((const char *)text, length);
  struct cbt_lane *lane = uri == NULL ? NULL : cbt_lane_open(uri, capacity * VIXDISKLIB_SECTOR_SIZE);
  free(uri);
  return lane;
}

CBT_API VixError VixDiskLib_Open(const VixDiskLibConnection connection, const char *path, uint32 flags,
                                 VixDiskLibHandle *diskHandle) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Open", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  if (diskHandle == NULL) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  cbt_write_text(&request.message, path);
  cbt_write_u64(&request.message, flags);
  code = cbt_request_ask(&request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(&request, code);
  uint64_t number = cbt_read_u64(request.values);
  struct cbt_object *made = cbt_object_make(CBT_DISK, request.channel, number);
  if (made == NULL) return cbt_request_end(&request, VIX_E_OUT_OF_MEMORY);
  made->owner = request.object->number;
  made->capacity = cbt_read_u64(request.values);
  made->read_only = cbt_read_u64(request.values) != 0;
  size_t length;
  const uint8_t *transport = cbt_read_bytes(request.values, &length);
  made->transport = transport_of(transport, length);
  made->lane = open_lane(request.values, made->capacity);
  bool is_whole = !request.values->broken;
  void *handle = is_whole ? cbt_object_publish(made) : NULL;
  if (handle == NULL) {
    cbt_object_end(made);
    cbt_object_drop(made);
    return cbt_request_end(&request, is_whole ? VIX_E_OUT_OF_MEMORY : VIX_E_FAIL);
  }
  /* Another thread ended the connection meanwhile, and may have found the disk or not. The command closes it with the connection. */
  if (cbt_object_is_ending(request.object) || !cbt_is_current(request.channel)) {
    struct cbt_object *back = cbt_object_withdraw(handle, CBT_DISK);
    if (back != NULL) {
      cbt_object_end(back);
      cbt_object_closed(back);
    }
    return cbt_request_end(&request, cbt_refuse(VIX_E_DISK_INVALID_CONNECTION, "%s: the connection was ended meanwhile", path));
  }
  *diskHandle = handle;
  return cbt_request_end(&request, code);
}

/* In a completion callback it would wait for itself. */
CBT_API VixError VixDiskLib_Wait(VixDiskLibHandle diskHandle) {
  if (cbt_in_callback()) return VIX_E_FAIL;
  struct cbt_object *disk;
  VixError code = cbt_find(diskHandle, CBT_DISK, &disk);
  if (code != VIX_OK) return code;
  cbt_object_wait_until_idle(disk);
  cbt_object_drop(disk);
  return VIX_OK;
}

CBT_API VixError VixDiskLib_Flush(VixDiskLibHandle diskHandle) {
  if (cbt_in_callback()) return VIX_E_FAIL;
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Flush", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  cbt_object_wait_until_idle(request.object);
  return cbt_request_run(&request, NULL, NULL);
}

CBT_API VixError VixDiskLib_Close(VixDiskLibHandle diskHandle) {
  if (cbt_in_callback()) return VIX_E_FAIL;
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Close", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  /* Nothing new begins on it; of two that close, one does. */
  struct cbt_object *disk = cbt_object_withdraw(diskHandle, CBT_DISK);
  if (disk == NULL) return cbt_request_end(&request, VIX_E_INVALID_HANDLE);
  cbt_object_end(disk);
  code = cbt_request_call(&request, NULL, NULL);
  cbt_object_closed(disk);
  cbt_request_told(&request, code);
  return cbt_request_end(&request, code);
}

CBT_API const char *VixDiskLib_GetTransportMode(VixDiskLibHandle diskHandle) {
  struct cbt_object *disk;
  if (cbt_find(diskHandle, CBT_DISK, &disk) != VIX_OK) return NULL;
  const char *transport = disk->transport;
  cbt_object_drop(disk);
  return transport;
}

static void read_geometry(struct cbt_reader *values, VixDiskLibGeometry *geometry) {
  geometry->cylinders = (uint32)cbt_read_u64(values);
  geometry->heads = (uint32)cbt_read_u64(values);
  geometry->sectors = (uint32)cbt_read_u64(values);
}

CBT_API VixError VixDiskLib_GetInfo(VixDiskLibHandle diskHandle, VixDiskLibInfo **info) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_GetInfo", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  code = info == NULL ? VIX_E_INVALID_ARG : cbt_request_ask(&request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(&request, code);
  VixDiskLibInfo read;
  memset(&read, 0, sizeof read);
  struct cbt_reader *values = request.values;
  read_geometry(values, &read.biosGeo);
  read_geometry(values, &read.physGeo);
  read.capacity = cbt_read_u64(values);
  read.adapterType = (VixDiskLibAdapterType)cbt_read_u64(values);
  read.numLinks = (int)cbt_read_u64(values);
  size_t parent_length, uuid_length;
  const uint8_t *parent = cbt_read_bytes(values, &parent_length), *uuid = cbt_read_bytes(values, &uuid_length);
  read.logicalSectorSize = (uint32)cbt_read_u64(values);
  read.physicalSectorSize = (uint32)cbt_read_u64(values);
  if (values->broken) return cbt_request_end(&request, VIX_E_FAIL);
  VixDiskLibInfo *made = cbt_lend(sizeof *made + parent_length + uuid_length + 2, CBT_INFO);
  if (made == NULL) return cbt_request_end(&request, VIX_E_OUT_OF_MEMORY);
  *made = read;
  char *text = (char *)(made + 1);
  if (parent != NULL) made->parentFileNameHint = memcpy(text, parent, parent_length);
  text += parent_length + 1;
  if (uuid != NULL) made->uuid = memcpy(text, uuid, uuid_length);
  *info = made;
  return cbt_request_end(&request, code);
}

CBT_API void VixDiskLib_FreeInfo(VixDiskLibInfo *info) { cbt_give_back(info, CBT_INFO); }

CBT_API VixError VixDiskLib_QueryAllocatedBlocks(VixDiskLibHandle diskHandle, VixDiskLibSectorType startSector,
                                                 VixDiskLibSectorType numSectors, VixDiskLibSectorType chunkSize,
                                                 VixDiskLibBlockList **blockList) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_QueryAllocatedBlocks", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  cbt_write_u64(&request.message, startSector);
  cbt_write_u64(&request.message, numSectors);
  cbt_write_u64(&request.message, chunkSize);
  code = blockList == NULL ? VIX_E_INVALID_ARG : cbt_request_ask(&request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(&request, code);
  size_t length;
  const uint8_t *numbers = cbt_read_bytes(request.values, &length);
  size_t count = length / sizeof(VixDiskLibBlock);
  /* A list that did not come whole must not pass for one without data. */
  if (request.values->broken || numbers == NULL || length % sizeof(VixDiskLibBlock) != 0 ||
      count > VIXDISKLIB_MAX_CHUNK_NUMBER)
    return cbt_request_end(&request, VIX_E_FAIL);
  VixDiskLibBlockList *list = cbt_lend(sizeof *list + length, CBT_BLOCKS);
  if (list == NULL) return cbt_request_end(&request, VIX_E_OUT_OF_MEMORY);
  list->numBlocks = (uint32)count;
  VixDiskLibBlock *block = (VixDiskLibBlock *)((char *)list + offsetof(VixDiskLibBlockList, blocks));
  for (size_t i = 0; i < count; i++, numbers += 16) {
    block[i].offset = cbt_get_u64(numbers);
    block[i].length = cbt_get_u64(numbers + 8);
  }
  *blockList = list;
  return cbt_request_end(&request, code);
}

CBT_API VixError VixDiskLib_FreeBlockList(VixDiskLibBlockList *blockList) {
  cbt_give_back(blockList, CBT_BLOCKS);
  return VIX_OK;
}
