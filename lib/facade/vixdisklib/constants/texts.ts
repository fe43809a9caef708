/** What the codes mean, in words of ours; one that has none is told by its name. */
import * as codes from './generated/codes.js';

const TEXTS: ReadonlyMap<number, string> = new Map<number, string>([
  [codes.VIX_OK, 'The operation was successful'],
  [codes.VIX_E_FAIL, 'Unknown error'],
  [codes.VIX_E_OUT_OF_MEMORY, 'Memory allocation failed'],
  [codes.VIX_E_INVALID_ARG, 'One of the parameters was invalid'],
  [codes.VIX_E_FILE_NOT_FOUND, 'A file was not found'],
  [codes.VIX_E_OBJECT_IS_BUSY, 'This function cannot be performed because the object is busy'],
  [codes.VIX_E_NOT_SUPPORTED, 'The operation is not supported for the specified parameters'],
  [codes.VIX_E_FILE_ERROR, 'A file access error occurred'],
  [codes.VIX_E_DISK_FULL, 'An error occurred because the disk is full'],
  [codes.VIX_E_INCORRECT_FILE_TYPE, 'The file type is incorrect'],
  [codes.VIX_E_CANCELLED, 'The operation was canceled'],
  [codes.VIX_E_FILE_READ_ONLY, 'The file is write-protected'],
  [codes.VIX_E_FILE_ALREADY_EXISTS, 'The file already exists'],
  [codes.VIX_E_FILE_ACCESS_ERROR, 'Access to the file is denied'],
  [codes.VIX_E_FILE_ALREADY_LOCKED, 'The file is already locked'],
  [codes.VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, 'The operation is not supported on remote objects'],
  [codes.VIX_E_FILE_TOO_BIG, 'The file is too large'],
  [codes.VIX_E_FILE_NAME_INVALID, 'The file name is not valid'],
  [codes.VIX_E_BUFFER_TOOSMALL, 'The buffer is too small'],
  [codes.VIX_E_HOST_CONNECTION_LOST, 'The connection was lost'],
  [codes.VIX_E_INVALID_HANDLE, 'The handle is not valid'],
  [codes.VIX_E_NOT_FOUND, 'The object was not found'],
  [codes.VIX_E_VM_NOT_FOUND, 'The virtual machine was not found'],
  [codes.VIX_E_SNAPSHOT_INVAL, 'The snapshot is not valid'],
  [codes.VIX_E_SNAPSHOT_NOTFOUND, 'The snapshot was not found'],
  [codes.VIX_E_SNAPSHOT_LOCKED, 'The snapshot is locked'],
  [codes.VIX_E_HOST_TCP_CONN_LOST, 'The connection to the host was lost'],
  [codes.VIX_E_DISK_INVAL, 'The disk is not valid'],
  [codes.VIX_E_DISK_NOINIT, 'The library has not been initialised'],
  [codes.VIX_E_DISK_NOIO, 'An input or output error occurred'],
  [codes.VIX_E_DISK_OUTOFRANGE, 'The access is past the end of the disk'],
  [codes.VIX_E_DISK_NOTSUPPORTED, 'The disk library does not support this'],
  [codes.VIX_E_DISK_KEY_NOTFOUND, 'The key was not found'],
  [codes.VIX_E_DISK_SUBSYSTEM_INIT_FAIL, 'The disk library could not be initialised'],
  [codes.VIX_E_DISK_INVALID_CONNECTION, 'The connection is not valid'],
  [codes.VIX_E_DISK_INVALIDDISK, 'The disk is not one that can be opened'],
  [codes.VIX_E_CANNOT_CONNECT_TO_HOST, 'The host cannot be connected to'],
  [codes.VIX_ASYNC, 'The operation goes on asynchronously'],
  [codes.VIX_E_DISK_NEEDSREPAIR, 'The disk needs repair'],
  [codes.VIX_E_DISK_CANTREPAIR, 'The disk could not be repaired'],
]);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(codes).map(([name, value]): [number, string] => [value, name]),
);

/** Words, else the name; `Unknown error` and the number for what is no code. */
export function textOf(code: number): string {
  return TEXTS.get(code) ?? NAMES.get(code) ?? `Unknown error ${code}`;
}
