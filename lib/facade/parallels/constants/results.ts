/**
 * Result codes of the Virtuozzo SDK (PrlErrorsValues.h). A PRL_RESULT is a signed 32-bit number: an error named with number
 * N is 0x80000000 + 0xN, the decimal digits read as hexadecimal, so every error is negative and every success is not.
 */

/** Success is 0 or above, failure below 0. */
export type PRL_RESULT = number;

/** Done. */
export const PRL_ERR_SUCCESS: PRL_RESULT = 0;
/** A bug of this library, or an error that is none of its own. */
export const PRL_ERR_UNEXPECTED: PRL_RESULT = 0x80000001 | 0;
/** A map of more than 2^32 - 1 granules, which the SDK's 32-bit counts cannot tell. */
export const PRL_ERR_OUT_OF_MEMORY: PRL_RESULT = 0x80000002 | 0;
/** A NULL, a handle that is not live or of another type, a flag or a text that is none, a disk name that is not recognised. */
export const PRL_ERR_INVALID_ARG: PRL_RESULT = 0x80000003 | 0;
/** Never answered: the SDK too says PRL_ERR_INVALID_ARG of a bad handle. */
export const PRL_ERR_INVALID_HANDLE: PRL_RESULT = 0x80000004 | 0;
/** Never answered here. */
export const PRL_ERR_ACCESS_DENIED: PRL_RESULT = 0x80000005 | 0;
/** The buffer is too small; its length is now the bytes needed. A map is not copied at all, a text as far as it fits. */
export const PRL_ERR_BUFFER_OVERRUN: PRL_RESULT = 0x80000006 | 0;
/** The object was closed, or its backup has ended. */
export const PRL_ERR_UNINITIALIZED: PRL_RESULT = 0x80000007 | 0;
/** A call, mode or image that this library or QEMU does not support. */
export const PRL_ERR_UNIMPLEMENTED: PRL_RESULT = 0x80000008 | 0;
/** QEMU or an NBD server failed or could not be reached; the SDK has one code for all of it. */
export const PRL_ERR_FAILURE: PRL_RESULT = 0x80000009 | 0;
/** The list of VMs (QEMU_CBT_VMS) is not set or not there. */
export const PRL_ERR_FILE_NOT_FOUND: PRL_RESULT = 0x80000010 | 0;
/** Never answered: PrlApi_Init is counted. */
export const PRL_ERR_DOUBLE_INIT: PRL_RESULT = 0x80000011 | 0;
/** PrlJob_GetRetCode or PrlJob_GetResult before the job is done. */
export const PRL_ERR_OPERATION_PENDING: PRL_RESULT = 0x80000013 | 0;
/** A point in time that is unknown or whose tracking was lost: take a full backup. Of a result: no such parameter. */
export const PRL_ERR_NO_DATA: PRL_RESULT = 0x80000014 | 0;
/** PrlJob_Wait ran out of time, or QEMU gave no answer in time. */
export const PRL_ERR_TIMEOUT: PRL_RESULT = 0x80000015 | 0;
/** The list of VMs is wrong, the server is not logged in to, or a VM lacks what was asked of it (an agent, a UUID). */
export const PRL_ERR_INVALID_PARAM: PRL_RESULT = 0x80000018 | 0;
/** PrlSrv_GetVmConfig found no VM of that UUID or name. */
export const PRL_ERR_VM_UUID_NOT_FOUND: PRL_RESULT = 0x80000105 | 0;
/** Reading from a local image failed. */
export const PRL_ERR_FILE_READ_ERROR: PRL_RESULT = 0x80000110 | 0;
/** The job was cancelled, or its login ended. */
export const PRL_ERR_OPERATION_WAS_CANCELED: PRL_RESULT = 0x80000275 | 0;
/** A call that makes an object, or PrlApi_Deinit, without PrlApi_Init before. */
export const PRL_ERR_API_WASNT_INITIALIZED: PRL_RESULT = 0x80000287 | 0;
/** Writing to a local image failed. */
export const PRL_ERR_FILE_WRITE_ERROR: PRL_RESULT = 0x80000372 | 0;
/** PrlApi_Init was asked for a version above PRLAPI_VER. */
export const PRL_ERR_API_INCOMPATIBLE: PRL_RESULT = 0x80000422 | 0;
/** Never answered here. */
export const PRL_ERR_WRONG_VM_STATE: PRL_RESULT = 0x80000489 | 0;
/** Never answered here. */
export const PRL_ERR_DISK_GENERIC_ERROR: PRL_RESULT = 0x80021000 | 0;
/** PrlDisk_CreateDisk_Local: a file of that name is there, and stays as it is. */
export const PRL_ERR_DISK_FILE_EXISTS: PRL_RESULT = 0x80021012 | 0;
/** A local image cannot be opened; it is in use, or may not be read. */
export const PRL_ERR_DISK_FILE_OPEN_ERROR: PRL_RESULT = 0x80021014 | 0;
/** PrlDisk_CreateDisk_Local: the image could not be made. */
export const PRL_ERR_DISK_CREATE_IMAGE_ERROR: PRL_RESULT = 0x80021016 | 0;
/** A local image that was closed meanwhile. */
export const PRL_ERR_DISK_DISK_NOT_OPENED: PRL_RESULT = 0x80021021 | 0;
/** Never answered: see PRL_ERR_FILE_WRITE_ERROR. */
export const PRL_ERR_DISK_WRITE_FAILED: PRL_RESULT = 0x80021027 | 0;
/** A read or write past the end of a local image. */
export const PRL_ERR_DISK_READ_OUT_DISK: PRL_RESULT = 0x80021028 | 0;
/** Never answered: see PRL_ERR_FILE_READ_ERROR. */
export const PRL_ERR_DISK_READ_FAILED: PRL_RESULT = 0x80021029 | 0;
/** The image breaks the rules of its format. */
export const PRL_ERR_DISK_INVALID_FORMAT: PRL_RESULT = 0x80021033 | 0;
/** Writing to a disk that is open for reading only, or opening a Parallels image for writing. */
export const PRL_ERR_DISK_OPERATION_NOT_ALLOWED: PRL_RESULT = 0x80021035 | 0;
/** Never answered here. */
export const PRL_ERR_DISK_UNALIGNED: PRL_RESULT = 0x80021055 | 0;
/** Never answered here. */
export const PRL_ERR_DISK_DATA_NOT_FOUND: PRL_RESULT = 0x80023000 | 0;
/** Ending a backup failed; what was to be kept may not be. */
export const PRL_ERR_BACKUP_INTERNAL_ERROR: PRL_RESULT = 0x80037001 | 0;
/** Never answered here. */
export const PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND: PRL_RESULT = 0x80037004 | 0;
/** PrlVm_BeginBackup: QEMU cannot be reached, or refused the session. */
export const PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED: PRL_RESULT = 0x80037005 | 0;
/** The backup has ended already. */
export const PRL_ERR_BACKUP_BACKUP_NOT_FOUND: PRL_RESULT = 0x80037011 | 0;
/** Never answered here. */
export const PRL_ERR_IT_CANT_GET_BITMAP: PRL_RESULT = 0x80046221 | 0;

/** PRL_SUCCEEDED of PrlErrors.h. */
export const PRL_SUCCEEDED = (result: PRL_RESULT): boolean => result >= 0;

/** PRL_FAILED of PrlErrors.h. */
export const PRL_FAILED = (result: PRL_RESULT): boolean => result < 0;
