/* Made by scripts/make-constants.mjs from scripts/sdk/parallels-functions.json; do not edit. */
#include "../calls.h"

CBT_API PRL_RESULT PrlApi_CreateHandlesList(PRL_HANDLE_PTR phHandlesList) { return cbt_call("PrlApi_CreateHandlesList", "H", phHandlesList); }
CBT_API PRL_RESULT PrlApi_CreateStringsList(PRL_HANDLE_PTR phStringsList) { return cbt_call("PrlApi_CreateStringsList", "H", phStringsList); }
CBT_API PRL_RESULT PrlApi_GetAppMode(PRL_APPLICATION_MODE_PTR app_mode) { return cbt_call("PrlApi_GetAppMode", "O", app_mode); }
CBT_API PRL_RESULT PrlApi_GetVersion(PRL_UINT32_PTR current_version) { return cbt_call("PrlApi_GetVersion", "O", current_version); }
CBT_API PRL_RESULT PrlDiskMap_GetGranularity(PRL_HANDLE hMap, PRL_UINT32_PTR pnSize) { return cbt_call("PrlDiskMap_GetGranularity", "hO", hMap, pnSize); }
CBT_API PRL_RESULT PrlDiskMap_GetSize(PRL_HANDLE hMap, PRL_UINT32_PTR pnSize) { return cbt_call("PrlDiskMap_GetSize", "hO", hMap, pnSize); }
CBT_API PRL_RESULT PrlDiskOpenPolicy_CreateOffset(PRL_HANDLE_PTR pHandle, PRL_UINT64 uiOffset) { return cbt_call("PrlDiskOpenPolicy_CreateOffset", "HU", pHandle, uiOffset); }
CBT_API PRL_RESULT PrlDisk_FlushCache(const PRL_HANDLE Handle) { return cbt_call("PrlDisk_FlushCache", "h", Handle); }
CBT_API PRL_RESULT PrlDisk_Free(const PRL_HANDLE Handle) { return cbt_call("PrlDisk_Free", "h", Handle); }
CBT_API PRL_RESULT PrlDisk_GetChangesMap_Local(PRL_HANDLE hDisk, PRL_CONST_STR sPit1Uuid, PRL_CONST_STR sPit2Uuid, PRL_HANDLE_PTR phMap) { return cbt_call("PrlDisk_GetChangesMap_Local", "httH", hDisk, sPit1Uuid, sPit2Uuid, phMap); }
CBT_API PRL_RESULT PrlDisk_OpenDisk_Local(PRL_HANDLE_PTR pHandle, PRL_CONST_STR pDiskName, const PRL_DISK_OPEN_FLAGS OpenFlags, PRL_HANDLE hPolicyList) { return cbt_call("PrlDisk_OpenDisk_Local", "Hduh", pHandle, pDiskName, OpenFlags, hPolicyList); }
CBT_API PRL_RESULT PrlDisk_WaitForCompletion(const PRL_HANDLE Handle) { return cbt_call("PrlDisk_WaitForCompletion", "h", Handle); }
CBT_API PRL_RESULT PrlEvent_GetErrCode(PRL_HANDLE hEvent, PRL_RESULT_PTR pnErrCode) { return cbt_call("PrlEvent_GetErrCode", "hO", hEvent, pnErrCode); }
CBT_API PRL_RESULT PrlEvent_GetErrString(PRL_HANDLE hEvent, PRL_BOOL bIsBriefMessage, PRL_BOOL bFormated, PRL_STR sErrString, PRL_UINT32_PTR pnErrStringBufLength) { return cbt_call("PrlEvent_GetErrString", "huuS", hEvent, bIsBriefMessage, bFormated, sErrString, pnErrStringBufLength); }
CBT_API PRL_RESULT PrlEvent_GetJob(PRL_HANDLE hEvent, PRL_HANDLE_PTR pJob) { return cbt_call("PrlEvent_GetJob", "hH", hEvent, pJob); }
CBT_API PRL_RESULT PrlHandle_AddRef(PRL_HANDLE handle) { return cbt_call("PrlHandle_AddRef", "h", handle); }
CBT_API PRL_RESULT PrlHandle_Free(PRL_HANDLE handle) { return cbt_call("PrlHandle_Free", "h", handle); }
CBT_API PRL_RESULT PrlHandle_FromString(PRL_HANDLE hHandle, PRL_CONST_STR sXml) { return cbt_call("PrlHandle_FromString", "ht", hHandle, sXml); }
CBT_API PRL_RESULT PrlHandle_GetType(PRL_HANDLE handle, PRL_HANDLE_TYPE_PTR type) { return cbt_call("PrlHandle_GetType", "hO", handle, type); }
CBT_API PRL_RESULT PrlHndlList_AddItem(PRL_HANDLE hHandlesList, PRL_HANDLE hItem) { return cbt_call("PrlHndlList_AddItem", "hh", hHandlesList, hItem); }
CBT_API PRL_RESULT PrlHndlList_GetItem(PRL_HANDLE hHandlesList, PRL_UINT32 nItemIndex, PRL_HANDLE_PTR phItem) { return cbt_call("PrlHndlList_GetItem", "huH", hHandlesList, nItemIndex, phItem); }
CBT_API PRL_RESULT PrlHndlList_GetItemsCount(PRL_HANDLE hHandlesList, PRL_UINT32_PTR pnItemsCount) { return cbt_call("PrlHndlList_GetItemsCount", "hO", hHandlesList, pnItemsCount); }
CBT_API PRL_RESULT PrlHndlList_RemoveItem(PRL_HANDLE hHandlesList, PRL_UINT32 nItemIndex) { return cbt_call("PrlHndlList_RemoveItem", "hu", hHandlesList, nItemIndex); }
CBT_API PRL_HANDLE PrlJob_Cancel(PRL_HANDLE hJob) { return cbt_start("PrlJob_Cancel", "h", hJob); }
CBT_API PRL_RESULT PrlJob_GetError(PRL_HANDLE hJob, PRL_HANDLE_PTR phError) { return cbt_call("PrlJob_GetError", "hH", hJob, phError); }
CBT_API PRL_RESULT PrlJob_GetOpCode(PRL_HANDLE hJob, PRL_JOB_OPERATION_CODE_PTR pnOpCode) { return cbt_call("PrlJob_GetOpCode", "hO", hJob, pnOpCode); }
CBT_API PRL_RESULT PrlJob_GetProgress(PRL_HANDLE hJob, PRL_UINT32_PTR percentage) { return cbt_call("PrlJob_GetProgress", "hO", hJob, percentage); }
CBT_API PRL_RESULT PrlJob_GetResult(PRL_HANDLE hJob, PRL_HANDLE_PTR handle) { return cbt_call("PrlJob_GetResult", "hH", hJob, handle); }
CBT_API PRL_RESULT PrlJob_GetRetCode(PRL_HANDLE hJob, PRL_RESULT_PTR retcode) { return cbt_call("PrlJob_GetRetCode", "hO", hJob, retcode); }
CBT_API PRL_RESULT PrlJob_GetStatus(PRL_HANDLE hJob, PRL_JOB_STATUS_PTR status) { return cbt_call("PrlJob_GetStatus", "hO", hJob, status); }
CBT_API PRL_RESULT PrlJob_IsRequestWasSent(PRL_HANDLE hJob, PRL_BOOL_PTR pbIsRequestWasSent) { return cbt_call("PrlJob_IsRequestWasSent", "hO", hJob, pbIsRequestWasSent); }
CBT_API PRL_RESULT PrlJob_Wait(PRL_HANDLE hJob, PRL_UINT32 msecs) { return cbt_call("PrlJob_Wait", "hu", hJob, msecs); }
CBT_API PRL_RESULT PrlResult_GetParam(PRL_HANDLE hResult, PRL_HANDLE_PTR pHandle) { return cbt_call("PrlResult_GetParam", "hH", hResult, pHandle); }
CBT_API PRL_RESULT PrlResult_GetParamAsString(PRL_HANDLE hResult, PRL_STR sParamBuf, PRL_UINT32_PTR pnParamBufSize) { return cbt_call("PrlResult_GetParamAsString", "hS", hResult, sParamBuf, pnParamBufSize); }
CBT_API PRL_RESULT PrlResult_GetParamByIndex(PRL_HANDLE hResult, PRL_UINT32 nIndex, PRL_HANDLE_PTR phParam) { return cbt_call("PrlResult_GetParamByIndex", "huH", hResult, nIndex, phParam); }
CBT_API PRL_RESULT PrlResult_GetParamByIndexAsString(PRL_HANDLE hResult, PRL_UINT32 nIndex, PRL_STR sParamBuf, PRL_UINT32_PTR pnParamBufSize) { return cbt_call("PrlResult_GetParamByIndexAsString", "huS", hResult, nIndex, sParamBuf, pnParamBufSize); }
CBT_API PRL_RESULT PrlResult_GetParamsCount(PRL_HANDLE hResult, PRL_UINT32_PTR pCount) { return cbt_call("PrlResult_GetParamsCount", "hO", hResult, pCount); }
CBT_API PRL_RESULT PrlSrv_Create(PRL_HANDLE_PTR handle) { return cbt_call("PrlSrv_Create", "H", handle); }
CBT_API PRL_HANDLE PrlSrv_CreateVmBackup(PRL_HANDLE hSourceServer, PRL_CONST_STR sVmUuid, PRL_CONST_STR sTargetHost, PRL_UINT32 nTargetPort, PRL_CONST_STR sTargetSessionId, PRL_CONST_STR strDescription, PRL_UINT32 backup_flags, PRL_UINT32 reserved_flags, PRL_BOOL force_operation) { return cbt_start("PrlSrv_CreateVmBackup", "httuttuuu", hSourceServer, sVmUuid, sTargetHost, nTargetPort, sTargetSessionId, strDescription, backup_flags, reserved_flags, force_operation); }
CBT_API PRL_HANDLE PrlSrv_GetVmConfig(PRL_HANDLE hServer, PRL_CONST_STR sSearchId, PRL_UINT32 nFlags) { return cbt_start("PrlSrv_GetVmConfig", "htu", hServer, sSearchId, nFlags); }
CBT_API PRL_HANDLE PrlSrv_GetVmList(PRL_HANDLE hServer) { return cbt_start("PrlSrv_GetVmList", "h", hServer); }
CBT_API PRL_HANDLE PrlSrv_GetVmListEx(PRL_HANDLE hServer, PRL_UINT32 nFlags) { return cbt_start("PrlSrv_GetVmListEx", "hu", hServer, nFlags); }
CBT_API PRL_HANDLE PrlSrv_LoginLocal(PRL_HANDLE hServer, PRL_CONST_STR sPrevSessionUuid, PRL_UINT32 port, PRL_SECURITY_LEVEL security_level) { return cbt_start("PrlSrv_LoginLocal", "htuu", hServer, sPrevSessionUuid, port, security_level); }
CBT_API PRL_HANDLE PrlSrv_LoginLocalEx(PRL_HANDLE hServer, PRL_CONST_STR sPrevSessionUuid, PRL_UINT32 port, PRL_SECURITY_LEVEL security_level, PRL_UINT32 flags) { return cbt_start("PrlSrv_LoginLocalEx", "htuuu", hServer, sPrevSessionUuid, port, security_level, flags); }
CBT_API PRL_HANDLE PrlSrv_Logoff(PRL_HANDLE hServer) { return cbt_start("PrlSrv_Logoff", "h", hServer); }
CBT_API PRL_RESULT PrlStrList_AddItem(PRL_HANDLE hStringsList, PRL_CONST_STR sItem) { return cbt_call("PrlStrList_AddItem", "ht", hStringsList, sItem); }
CBT_API PRL_RESULT PrlStrList_GetItem(PRL_HANDLE hStringsList, PRL_UINT32 nItemIndex, PRL_STR sItemBuf, PRL_UINT32_PTR pnItemBufSize) { return cbt_call("PrlStrList_GetItem", "huS", hStringsList, nItemIndex, sItemBuf, pnItemBufSize); }
CBT_API PRL_RESULT PrlStrList_GetItemsCount(PRL_HANDLE hStringsList, PRL_UINT32_PTR pnItemsCount) { return cbt_call("PrlStrList_GetItemsCount", "hO", hStringsList, pnItemsCount); }
CBT_API PRL_RESULT PrlStrList_RemoveItem(PRL_HANDLE hStringsList, PRL_UINT32 nItemIndex) { return cbt_call("PrlStrList_RemoveItem", "hu", hStringsList, nItemIndex); }
CBT_API PRL_HANDLE PrlVmBackup_Commit(PRL_HANDLE hBackup) { return cbt_start("PrlVmBackup_Commit", "h", hBackup); }
CBT_API PRL_RESULT PrlVmBackup_GetDisk(PRL_HANDLE hBackup, PRL_UINT32 nDiskIndex, PRL_HANDLE_PTR phDisk) { return cbt_call("PrlVmBackup_GetDisk", "huH", hBackup, nDiskIndex, phDisk); }
CBT_API PRL_RESULT PrlVmBackup_GetDisksCount(PRL_HANDLE hBackup, PRL_UINT32_PTR pnDisksCount) { return cbt_call("PrlVmBackup_GetDisksCount", "hO", hBackup, pnDisksCount); }
CBT_API PRL_RESULT PrlVmBackup_GetUuid(PRL_HANDLE hBackup, PRL_STR sUuid, PRL_UINT32_PTR pnUuidBufLength) { return cbt_call("PrlVmBackup_GetUuid", "hS", hBackup, sUuid, pnUuidBufLength); }
CBT_API PRL_HANDLE PrlVmBackup_Rollback(PRL_HANDLE hBackup) { return cbt_start("PrlVmBackup_Rollback", "h", hBackup); }
CBT_API PRL_RESULT PrlVmCfg_GetName(PRL_HANDLE hVmCfg, PRL_STR sVmName, PRL_UINT32_PTR pnVmNameBufLength) { return cbt_call("PrlVmCfg_GetName", "hS", hVmCfg, sVmName, pnVmNameBufLength); }
CBT_API PRL_RESULT PrlVmCfg_GetUuid(PRL_HANDLE hVmCfg, PRL_STR sVmUuid, PRL_UINT32_PTR pnVmUuidBufLength) { return cbt_call("PrlVmCfg_GetUuid", "hS", hVmCfg, sVmUuid, pnVmUuidBufLength); }
CBT_API PRL_HANDLE PrlVm_BeginBackup(PRL_HANDLE hVm, PRL_UINT32 nFlags) { return cbt_start("PrlVm_BeginBackup", "hu", hVm, nFlags); }
