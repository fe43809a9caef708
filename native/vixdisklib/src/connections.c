/*
 * Connections. Of a program's parameters no more is read than the oldest header had (72 bytes), unless the fields before say that there
 * is more; who logs in is not read at all.
 */
#include "lent.h"
#include "library.h"

#include <string.h>

static bool is_empty(const char *text) { return text == NULL || *text == '\0'; }

static void write_params(struct cbt_writer *message, const VixDiskLibConnectParams *params) {
  cbt_write_u64(message, params != NULL);
  if (params == NULL) return;
  cbt_write_text(message, params->vmxSpec);
  cbt_write_text(message, params->serverName);
  cbt_write_text(message, params->thumbPrint);
  cbt_write_u64(message, params->port);
  cbt_write_u64(message, params->nfcHostPort);
  /* Only a disk without a VM is named by what older structures do not have; it has a server. */
  bool has_more = is_empty(params->vmxSpec) && !is_empty(params->serverName);
  cbt_write_u64(message, has_more ? (uint32)params->specType : VIXDISKLIB_SPEC_VMX);
}

CBT_API VixDiskLibConnectParams *VixDiskLib_AllocateConnectParams(void) {
  return cbt_lend(sizeof(VixDiskLibConnectParams), CBT_PARAMS);
}

/* Texts that the caller put in stay the caller's; those of GetConnectParams lie in the same memory. */
CBT_API void VixDiskLib_FreeConnectParams(VixDiskLibConnectParams *connectParams) {
  cbt_give_back(connectParams, CBT_PARAMS);
}

CBT_API VixError VixDiskLib_GetConnectParams(const VixDiskLibConnection connection,
                                             VixDiskLibConnectParams **connectParams) {
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_GetConnectParams", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  code = connectParams == NULL ? VIX_E_INVALID_ARG : cbt_request_ask(&request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(&request, code);
  const uint8_t *texts[3];
  size_t lengths[3], room = sizeof **connectParams;
  for (size_t i = 0; i < 3; i++) {
    texts[i] = cbt_read_bytes(request.values, &lengths[i]);
    room += lengths[i] + 1;
  }
  uint32 port = (uint32)cbt_read_u64(request.values), nfc_port = (uint32)cbt_read_u64(request.values);
  if (request.values->broken) return cbt_request_end(&request, VIX_E_FAIL);
  VixDiskLibConnectParams *params = cbt_lend(room, CBT_PARAMS);
  if (params == NULL) return cbt_request_end(&request, VIX_E_OUT_OF_MEMORY);
  char *at = (char *)(params + 1);
  char **fields[3] = {&params->vmxSpec, &params->serverName, &params->thumbPrint};
  for (size_t i = 0; i < 3; i++) {
    if (texts[i] == NULL) continue;
    memcpy(at, texts[i], lengths[i]);
    *fields[i] = at;
    at += lengths[i] + 1;
  }
  params->port = port;
  params->nfcHostPort = nfc_port;
  *connectParams = params;
  return cbt_request_end(&request, code);
}

CBT_API VixError VixDiskLib_ConnectEx(const VixDiskLibConnectParams *connectParams, Bool readOnly,
                                      const char *snapshotRef, const char *transportModes,
                                      VixDiskLibConnection *connection) {
  struct cbt_request request;
  VixError code = cbt_request_begin(&request, "VixDiskLib_ConnectEx");
  if (code != VIX_OK) return code;
  if (connection == NULL) return cbt_request_end(&request, VIX_E_INVALID_ARG);
  write_params(&request.message, connectParams);
  cbt_write_u64(&request.message, readOnly != 0);
  cbt_write_text(&request.message, snapshotRef);
  cbt_write_text(&request.message, transportModes);
  code = cbt_request_ask(&request, NULL, NULL);
  if (code != VIX_OK) return cbt_request_end(&request, code);
  uint64_t number = cbt_read_u64(request.values);
  if (request.values->broken) return cbt_request_end(&request, VIX_E_FAIL);
  struct cbt_object *made = cbt_object_make(CBT_CONNECTION, request.channel, number);
  void *handle = made == NULL ? NULL : cbt_object_publish(made);
  if (handle == NULL) {
    cbt_object_drop(made);
    return cbt_request_end(&request, VIX_E_OUT_OF_MEMORY);
  }
  if (!cbt_is_current(request.channel)) {
    cbt_object_drop(cbt_object_withdraw(handle, CBT_CONNECTION));
    return cbt_request_end(&request, VIX_E_DISK_NOINIT);
  }
  *connection = handle;
  return cbt_request_end(&request, code);
}

CBT_API VixError VixDiskLib_Connect(const VixDiskLibConnectParams *connectParams, VixDiskLibConnection *connection) {
  return VixDiskLib_ConnectEx(connectParams, FALSE, NULL, NULL, connection);
}

CBT_API VixError VixDiskLib_Disconnect(VixDiskLibConnection connection) {
  if (cbt_in_callback()) return VIX_E_FAIL;
  struct cbt_request request;
  VixError code = cbt_request_begin_on(&request, "VixDiskLib_Disconnect", connection, CBT_CONNECTION);
  if (code != VIX_OK) return code;
  cbt_object_drop(cbt_object_withdraw(connection, CBT_CONNECTION));
  /* Who opens a disk of it at this moment sees that, or his disk is seen here. */
  cbt_object_end(request.object);
  cbt_objects_withdraw_all(request.object);
  return cbt_request_run(&request, NULL, NULL);
}

static VixError access_call(const char *name, const VixDiskLibConnectParams *params, const char *identity) {
  struct cbt_request request;
  VixError code = cbt_request_begin(&request, name);
  if (code != VIX_OK) return code;
  write_params(&request.message, params);
  cbt_write_text(&request.message, identity);
  return cbt_request_run(&request, NULL, NULL);
}

CBT_API VixError VixDiskLib_PrepareForAccess(const VixDiskLibConnectParams *connectParams, const char *identity) {
  return access_call("VixDiskLib_PrepareForAccess", connectParams, identity);
}

CBT_API VixError VixDiskLib_EndAccess(const VixDiskLibConnectParams *connectParams, const char *identity) {
  return access_call("VixDiskLib_EndAccess", connectParams, identity);
}

CBT_API VixError VixDiskLib_Cleanup(const VixDiskLibConnectParams *connectParams, uint32 *numCleanedUp,
                                    uint32 *numRemaining) {
  struct cbt_request request;
  VixError code = cbt_request_begin(&request, "VixDiskLib_Cleanup");
  if (code != VIX_OK) return code;
  write_params(&request.message, connectParams);
  code = cbt_request_ask(&request, NULL, NULL);
  if (code == VIX_OK) {
    uint32 cleaned = (uint32)cbt_read_u64(request.values), remaining = (uint32)cbt_read_u64(request.values);
    if (request.values->broken) return cbt_request_end(&request, VIX_E_FAIL);
    if (numCleanedUp != NULL) *numCleanedUp = cleaned;
    if (numRemaining != NULL) *numRemaining = remaining;
  }
  return cbt_request_end(&request, code);
}
