/** Types of handles (PrlEnums.h of the Virtuozzo SDK; the Desktop SDK gives some of these numbers to other types). */
export type PRL_HANDLE = number;
/** No handle has this value; given to a call it is PRL_ERR_INVALID_ARG, as a policy of PrlDisk_OpenDisk_Local it means none. */
export const PRL_INVALID_HANDLE: PRL_HANDLE = 0;

/** No handle has this type. */
export const PHT_ERROR = 0;
/** From PrlSrv_Create. */
export const PHT_SERVER = 0x10000001;
/** From the results of PrlSrv_GetVmList and PrlSrv_GetVmConfig. */
export const PHT_VIRTUAL_MACHINE = 0x10000005;
/** From every call that starts a job. */
export const PHT_JOB = 0x10000011;
/** Of the SDK; no call here gives such a handle. */
export const PHT_EVENT = 0x10000012;
/** From PrlJob_GetResult. */
export const PHT_RESULT = 0x10000013;
/** Of the SDK; no call here gives such a handle. */
export const PHT_STRINGS_LIST = 0x1000002a;
/** Of the SDK; no call here gives such a handle. */
export const PHT_HANDLES_LIST = 0x1000002e;
/** From PrlDisk_OpenDisk_Local, PrlDisk_CreateDisk_Local and PrlVmBackup_GetDisk. */
export const PHT_VIRTUAL_DISK = 0x1000002f;
/** Of the SDK; no call here gives such a handle. */
export const PHT_BACKUP_RESULT = 0x10000057;
/** From PrlDisk_GetChangesMap_Local. */
export const PHT_VIRTUAL_DISK_MAP = 0x1000005f;
/** From PrlDiskOpenPolicy_CreateOffset. */
export const PHT_VIRTUAL_DISK_OPEN_POLICY = 0x10000060;
/** From the result of PrlVm_BeginBackup. */
export const PHT_BACKUP = 0x10000063;
/** The largest type of the SDK. */
export const PHT_LAST = PHT_BACKUP;
