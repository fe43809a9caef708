/* Metadata of disks: texts by keys. `requiredLen`, where given, becomes the bytes needed. */
#include "library.h"

#include <string.h>

static VixError answer_text(struct cbt_request *request, char *buffer, size_t room, size_t *required) {
  VixError code = cbt_request_ask(request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(request, code);
  size_t length;
  const uint8_t *text = cbt_read_bytes(request->values, &length);
  if (text == NULL) return cbt_request_end(request, VIX_E_FAIL);
  if (required != NULL) *required = length;
  if (buffer == NULL || room < length) return cbt_request_end(request, VIX_E_BUFFER_TOOSMALL);
  memcpy(buffer, text, length);
  return cbt_request_end(request, VIX_OK);
}

CBT_API VixError VixDiskLib_ReadMetadata(VixDiskLibHandle diskHandle, const char *key, char *buf, size_t bufLen,
                                         size_t *requiredLen) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_ReadMetadata", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  if (key == NULL) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  cbt_write_text(&request.message, key);
  return answer_text(&request, buf, bufLen, requiredLen);
}

CBT_API VixError VixDiskLib_GetMetadataKeys(VixDiskLibHandle diskHandle, char *keys, size_t maxLen,
                                            size_t *requiredLen) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_GetMetadataKeys", diskHandle, CBT_DISK);
  return code == VIX_OK ? answer_text(&request, keys, maxLen, requiredLen) : code;
}

CBT_API VixError VixDiskLib_WriteMetadata(VixDiskLibHandle diskHandle, const char *key, const char *val) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_WriteMetadata", diskHandle, CBT_DISK);
  if (code != VIX_OK) return code;
  if (key == NULL || val == NULL) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  cbt_write_text(&request.message, key);
  cbt_write_text(&request.message, val);
  return cbt_request_run(&request, NULL, NULL);
}
