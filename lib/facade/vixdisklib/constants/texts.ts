/** What the codes mean, in words of ours; one that has none is told by its name. */
import * as codes from './generated/codes.js';

const TEXTS: ReadonlyMap<number, string> = new Map<number, string>([
  [codes.VIX_OK, 'Done'],
  [codes.VIX_E_FAIL, 'Unknown error'],
  [codes.VIX_E_OUT_OF_MEMORY, 'There is not enough memory'],
  [codes.VIX_E_INVALID_ARG, 'A parameter is not what it must be'],
  [codes.VIX_E_FILE_NOT_FOUND, 'No such file, or no such disk'],
  [codes.VIX_E_OBJECT_IS_BUSY, 'Somebody else holds it, or is changing it'],
  [codes.VIX_E_NOT_SUPPORTED, 'Not supported for this call, disk or type'],
  [codes.VIX_E_FILE_ERROR, 'The file could not be reached'],
  [codes.VIX_E_DISK_FULL, 'The file system has no space left'],
  [codes.VIX_E_INCORRECT_FILE_TYPE, 'The format of the image is not known'],
  [codes.VIX_E_CANCELLED, 'Cancelled'],
  [codes.VIX_E_FILE_READ_ONLY, 'It is open for reading only'],
  [codes.VIX_E_FILE_ALREADY_EXISTS, 'A file of this name is there already'],
  [codes.VIX_E_FILE_ACCESS_ERROR, 'The file system does not permit it'],
  [codes.VIX_E_FILE_ALREADY_LOCKED, 'Another program has the image open'],
  [codes.VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, 'Only files of this machine can be used for this'],
  [codes.VIX_E_FILE_TOO_BIG, 'The file would be too large'],
  [codes.VIX_E_FILE_NAME_INVALID, 'This is no name for a file here'],
  [codes.VIX_E_BUFFER_TOOSMALL, 'The buffer is smaller than what goes into it'],
  [codes.VIX_E_HOST_CONNECTION_LOST, 'There was no answer in time'],
  [codes.VIX_E_INVALID_HANDLE, 'No such handle, or it is closed'],
  [codes.VIX_E_NOT_FOUND, 'There is no such object'],
  [codes.VIX_E_VM_NOT_FOUND, 'There is no such VM'],
  [codes.VIX_E_SNAPSHOT_INVAL, 'This is no snapshot that can be used'],
  [codes.VIX_E_SNAPSHOT_NOTFOUND, 'No such snapshot, or its content is gone'],
  [codes.VIX_E_SNAPSHOT_LOCKED, 'Somebody else holds the snapshot'],
  [codes.VIX_E_HOST_TCP_CONN_LOST, 'The host does not answer any more'],
  [codes.VIX_E_DISK_INVAL, 'The disk, or what belongs to it, is damaged'],
  [codes.VIX_E_DISK_NOINIT, 'VixDiskLib_Init was not called'],
  [codes.VIX_E_DISK_NOIO, 'Reading or writing failed'],
  [codes.VIX_E_DISK_OUTOFRANGE, 'Sectors past the end of the disk'],
  [codes.VIX_E_DISK_NOTSUPPORTED, 'Not supported for this disk'],
  [codes.VIX_E_DISK_KEY_NOTFOUND, 'There is no such key'],
  [codes.VIX_E_DISK_SUBSYSTEM_INIT_FAIL, 'VixDiskLib_Init did not succeed'],
  [codes.VIX_E_DISK_INVALID_CONNECTION, 'No such connection, or it is closed'],
  [codes.VIX_E_DISK_INVALIDDISK, 'The image breaks the rules of its format'],
  [codes.VIX_E_CANNOT_CONNECT_TO_HOST, 'There is no way to this host'],
  [codes.VIX_ASYNC, 'Begun; the callback gets the result'],
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
