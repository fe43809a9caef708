/** Codes that the calls answer, by VDDK's names (`VIX_…`); the low 16 bits of a VixError. Texts are ours. */

/** A result: VIX_OK, VIX_ASYNC, or what went wrong. */
export type VixError = number;

/** Done. */
export const VIX_OK: VixError = 0;
/** A bug of this library, or an error that is none of its own. */
export const VIX_E_FAIL: VixError = 1;
/** Never answered here. */
export const VIX_E_OUT_OF_MEMORY: VixError = 2;
/** A parameter is not what it must be. */
export const VIX_E_INVALID_ARG: VixError = 3;
/** No such file, or no such disk in the VM or snapshot. */
export const VIX_E_FILE_NOT_FOUND: VixError = 4;
/** VixDiskLib_PrepareForAccess: another one holds the VM, or is changing it. */
export const VIX_E_OBJECT_IS_BUSY: VixError = 5;
/** A call, disk type or image that this library or QEMU does not support. */
export const VIX_E_NOT_SUPPORTED: VixError = 6;
/** A file or QEMU could not be reached. */
export const VIX_E_FILE_ERROR: VixError = 7;
/** The file system has no space left. */
export const VIX_E_DISK_FULL: VixError = 8;
/** The name does not say the image's format, and `configureVixDiskLib({ formats })` does not either. */
export const VIX_E_INCORRECT_FILE_TYPE: VixError = 9;
/** The progress function answered false. */
export const VIX_E_CANCELLED: VixError = 10;
/** Writing to a disk or connection that is open for reading. */
export const VIX_E_FILE_READ_ONLY: VixError = 11;
/** A file of that name is there, and stays as it is. */
export const VIX_E_FILE_ALREADY_EXISTS: VixError = 12;
/** The file system does not permit it. */
export const VIX_E_FILE_ACCESS_ERROR: VixError = 13;
/** A QEMU, or another program, holds the image. */
export const VIX_E_FILE_ALREADY_LOCKED: VixError = 15;
/** The call works on files of this machine only, or the disk of a running VM was asked for without a snapshot. */
export const VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT: VixError = 20;
/** Never answered here. */
export const VIX_E_FILE_TOO_BIG: VixError = 21;
/** A path that is neither absolute nor `[store] folder/name`, leads out of its datastore, or names one that is not known. */
export const VIX_E_FILE_NAME_INVALID: VixError = 22;
/** The buffer is too small; the length needed is given. */
export const VIX_E_BUFFER_TOOSMALL: VixError = 24;
/** QEMU or an NBD server gave no answer in time. */
export const VIX_E_HOST_CONNECTION_LOST: VixError = 36;
/** A handle or connection that was closed. */
export const VIX_E_INVALID_HANDLE: VixError = 1000;
/** A point in time that is not known, or a VM that is not held. */
export const VIX_E_NOT_FOUND: VixError = 2000;
/** The service has no such VM, or there is no service: see configureVixDiskLib. */
export const VIX_E_VM_NOT_FOUND: VixError = 4000;
/** Never answered here. */
export const VIX_E_SNAPSHOT_INVAL: VixError = 13000;
/** No such snapshot, or its content is gone: QEMU was restarted, or the image was written since. */
export const VIX_E_SNAPSHOT_NOTFOUND: VixError = 13003;
/** Never answered here. */
export const VIX_E_SNAPSHOT_LOCKED: VixError = 13010;
/** Never answered here. */
export const VIX_E_HOST_TCP_CONN_LOST: VixError = 14011;
/** The metadata beside an image is damaged, or a size does not fit the disk. */
export const VIX_E_DISK_INVAL: VixError = 16000;
/** VixDiskLib_Init or VixDiskLib_InitEx has not been called. */
export const VIX_E_DISK_NOINIT: VixError = 16001;
/** Reading or writing failed. */
export const VIX_E_DISK_NOIO: VixError = 16002;
/** VixDiskLib_CheckRepair found damage and was not asked to repair it, or could not. */
export const VIX_E_DISK_NEEDSREPAIR: VixError = 16006;
/** Sectors past the end of the disk. */
export const VIX_E_DISK_OUTOFRANGE: VixError = 16007;
/** Never answered: see VIX_E_NOT_SUPPORTED. */
export const VIX_E_DISK_NOTSUPPORTED: VixError = 16013;
/** VixDiskLib_ReadMetadata: no such key. */
export const VIX_E_DISK_KEY_NOTFOUND: VixError = 16052;
/** Never answered here. */
export const VIX_E_DISK_SUBSYSTEM_INIT_FAIL: VixError = 16053;
/** A connection that is none, or was closed. */
export const VIX_E_DISK_INVALID_CONNECTION: VixError = 16054;
/** The image breaks the rules of its format. */
export const VIX_E_DISK_INVALIDDISK: VixError = 16063;
/** Never answered: there is no host to log in to. */
export const VIX_E_CANNOT_CONNECT_TO_HOST: VixError = 18000;
/** VixDiskLib_ReadAsync and VixDiskLib_WriteAsync: begun; the callback gets the result. */
export const VIX_ASYNC: VixError = 25000;

/** VIX_SUCCEEDED of vixDiskLib.h. */
export const VIX_SUCCEEDED = (error: VixError): boolean => error === VIX_OK || error === VIX_ASYNC;
/** VIX_FAILED of vixDiskLib.h. */
export const VIX_FAILED = (error: VixError): boolean => !VIX_SUCCEEDED(error);

/** What each code means. */
export const ERROR_TEXTS: ReadonlyMap<VixError, string> = new Map([
  [VIX_OK, 'The operation was successful'],
  [VIX_E_FAIL, 'Unknown error'],
  [VIX_E_OUT_OF_MEMORY, 'Memory allocation failed'],
  [VIX_E_INVALID_ARG, 'One of the parameters was invalid'],
  [VIX_E_FILE_NOT_FOUND, 'A file was not found'],
  [VIX_E_OBJECT_IS_BUSY, 'This function cannot be performed because the object is busy'],
  [VIX_E_NOT_SUPPORTED, 'The operation is not supported for the specified parameters'],
  [VIX_E_FILE_ERROR, 'A file access error occurred'],
  [VIX_E_DISK_FULL, 'An error occurred because the disk is full'],
  [VIX_E_INCORRECT_FILE_TYPE, 'The file type is incorrect'],
  [VIX_E_CANCELLED, 'The operation was canceled'],
  [VIX_E_FILE_READ_ONLY, 'The file is write-protected'],
  [VIX_E_FILE_ALREADY_EXISTS, 'The file already exists'],
  [VIX_E_FILE_ACCESS_ERROR, 'Access to the file is denied'],
  [VIX_E_FILE_ALREADY_LOCKED, 'The file is already locked'],
  [VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, 'The operation is not supported on remote objects'],
  [VIX_E_FILE_TOO_BIG, 'The file is too large'],
  [VIX_E_FILE_NAME_INVALID, 'The file name is not valid'],
  [VIX_E_BUFFER_TOOSMALL, 'The buffer is too small'],
  [VIX_E_HOST_CONNECTION_LOST, 'The connection was lost'],
  [VIX_E_INVALID_HANDLE, 'The handle is not valid'],
  [VIX_E_NOT_FOUND, 'The object was not found'],
  [VIX_E_VM_NOT_FOUND, 'The virtual machine was not found'],
  [VIX_E_SNAPSHOT_INVAL, 'The snapshot is not valid'],
  [VIX_E_SNAPSHOT_NOTFOUND, 'The snapshot was not found'],
  [VIX_E_SNAPSHOT_LOCKED, 'The snapshot is locked'],
  [VIX_E_HOST_TCP_CONN_LOST, 'The connection to the host was lost'],
  [VIX_E_DISK_INVAL, 'The disk is not valid'],
  [VIX_E_DISK_NOINIT, 'The library has not been initialised'],
  [VIX_E_DISK_NOIO, 'An input or output error occurred'],
  [VIX_E_DISK_NEEDSREPAIR, 'The disk needs repair'],
  [VIX_E_DISK_OUTOFRANGE, 'The access is past the end of the disk'],
  [VIX_E_DISK_NOTSUPPORTED, 'The disk library does not support this'],
  [VIX_E_DISK_KEY_NOTFOUND, 'The key was not found'],
  [VIX_E_DISK_SUBSYSTEM_INIT_FAIL, 'The disk library could not be initialised'],
  [VIX_E_DISK_INVALID_CONNECTION, 'The connection is not valid'],
  [VIX_E_DISK_INVALIDDISK, 'The disk is not one that can be opened'],
  [VIX_E_CANNOT_CONNECT_TO_HOST, 'The host cannot be connected to'],
  [VIX_ASYNC, 'The operation goes on asynchronously'],
]);
