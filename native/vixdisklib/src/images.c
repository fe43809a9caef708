/* Making, copying, growing, checking and removing images: the command does it, and tells how far it is. */
#include "library.h"

/* What the oldest header has of it; what stands behind may not be there. */
static bool write_create_params(struct cbt_writer *message, const VixDiskLibCreateParams *params) {
  if (params == NULL) return false;
  cbt_write_u64(message, (uint32)params->diskType);
  cbt_write_u64(message, (uint32)params->adapterType);
  cbt_write_u64(message, params->hwVersion);
  cbt_write_u64(message, params->capacity);
  return true;
}

CBT_API VixError VixDiskLib_Create(const VixDiskLibConnection connection, const char *path,
                                   const VixDiskLibCreateParams *createParams, VixDiskLibProgressFunc progressFunc,
                                   void *progressCallbackData) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Create", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, path);
  if (!write_create_params(&request.message, createParams)) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  return cbt_request_run(&request, progressFunc, progressCallbackData);
}

CBT_API VixError VixDiskLib_CreateChild(VixDiskLibHandle diskHandle, const char *childPath,
                                        VixDiskLibDiskType diskType, VixDiskLibProgressFunc progressFunc,
                                        void *progressCallbackData) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_CreateChild", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, childPath);
  cbt_write_u64(&request.message, (uint32)diskType);
  return cbt_request_run(&request, progressFunc, progressCallbackData);
}

CBT_API VixError VixDiskLib_Clone(const VixDiskLibConnection dstConnection, const char *dstPath,
                                  const VixDiskLibConnection srcConnection, const char *srcPath,
                                  const VixDiskLibCreateParams *createParams, VixDiskLibProgressFunc progressFunc,
                                  void *progressCallbackData, Bool overWrite) {
  struct cbt_object *source;
  VixError code = cbt_find(srcConnection, CBT_CONNECTION, &source);
  if (code != VIX_OK) return code;
  uint64_t from = source->number;
  cbt_object_drop(source);
  struct cbt_request request;
  code = cbt_request_begin_on(&request, "VixDiskLib_Clone", dstConnection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, dstPath);
  cbt_write_u64(&request.message, from);
  cbt_write_text(&request.message, srcPath);
  if (!write_create_params(&request.message, createParams)) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  cbt_write_u64(&request.message, overWrite != 0);
  return cbt_request_run(&request, progressFunc, progressCallbackData);
}

CBT_API VixError VixDiskLib_Grow(VixDiskLibConnection connection, const char *path, VixDiskLibSectorType capacity,
                                 Bool updateGeometry, VixDiskLibProgressFunc progressFunc,
                                 void *progressCallbackData) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Grow", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, path);
  cbt_write_u64(&request.message, capacity);
  cbt_write_u64(&request.message, updateGeometry != 0);
  return cbt_request_run(&request, progressFunc, progressCallbackData);
}

CBT_API VixError VixDiskLib_CheckRepair(const VixDiskLibConnection connection, const char *filename, Bool repair) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_CheckRepair", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, filename);
  cbt_write_u64(&request.message, repair != 0);
  return cbt_request_run(&request, NULL, NULL);
}

CBT_API VixError VixDiskLib_Unlink(VixDiskLibConnection connection, const char *path) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Unlink", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, path);
  return cbt_request_run(&request, NULL, NULL);
}

CBT_API VixError VixDiskLib_Rename(const char *srcFileName, const char *dstFileName) {
  struct cbt_request request;
  VixError code = cbt_request_begin(&request, "VixDiskLib_Rename");
  if (code != VIX_OK) return code;
  cbt_write_text(&request.message, srcFileName);
  cbt_write_text(&request.message, dstFileName);
  return cbt_request_run(&request, NULL, NULL);
}

CBT_API VixError VixDiskLib_SpaceNeededForClone(VixDiskLibHandle diskHandle, VixDiskLibDiskType diskType,
                                                uint64 *spaceNeeded) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_SpaceNeededForClone", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  if (spaceNeeded == NULL) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  cbt_write_u64(&request.message, (uint32)diskType);
  code = cbt_request_ask(&request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(&request, code);
  uint64_t bytes = cbt_read_u64(request.values);
  if (request.values->broken) return cbt_request_end(&request, VIX_E_FAIL);
  *spaceNeeded = bytes;
  return cbt_request_end(&request, VIX_OK);
}

/* What QEMU's images do not have, whatever the handles are; the command says why in its log. */
static VixError not_supported(const char *name) {
  struct cbt_request request;
  VixError code = cbt_request_begin(&request, name);
  return code == VIX_OK ? cbt_request_run(&request, NULL, NULL) : code;
}

CBT_API VixError VixDiskLib_Shrink(VixDiskLibHandle diskHandle, VixDiskLibProgressFunc progressFunc,
                                   void *progressCallbackData) {
  (void)diskHandle;
  (void)progressFunc;
  (void)progressCallbackData;
  return not_supported("VixDiskLib_Shrink");
}

CBT_API VixError VixDiskLib_Defragment(VixDiskLibHandle diskHandle, VixDiskLibProgressFunc progressFunc,
                                       void *progressCallbackData) {
  (void)diskHandle;
  (void)progressFunc;
  (void)progressCallbackData;
  return not_supported("VixDiskLib_Defragment");
}

CBT_API VixError VixDiskLib_IsAttachPossible(VixDiskLibHandle parent, VixDiskLibHandle child) {
  (void)parent;
  (void)child;
  return not_supported("VixDiskLib_IsAttachPossible");
}

CBT_API VixError VixDiskLib_Attach(VixDiskLibHandle parent, VixDiskLibHandle child) {
  (void)parent;
  (void)child;
  return not_supported("VixDiskLib_Attach");
}
