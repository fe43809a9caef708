import type { VixError } from '../constants/codes.js';
import { startAsync } from '../objects/asyncCall.js';
import type { VixDiskLibHandle } from '../objects/handle.js';
import type { VixDiskLibCompletionCB } from '../types.js';

/**
 * As {@link VixDiskLib_Write}, many at a time: answers VIX_ASYNC at once, and the callback gets the outcome. The buffer is the library's until then. What
 * is on its way is bounded; the rest waits its turn.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param startSector Where it begins, in sectors of 512 bytes.
 * @param numSectors How many sectors of 512 bytes.
 * @param writeBuffer The bytes; stays as it is until `callback` is called.
 * @param callback Is called once with the result.
 * @param cbData Handed to `callback` as it is.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * VixDiskLib_WriteAsync(handle, 0, 1, Buffer.alloc(VIXDISKLIB_SECTOR_SIZE), (data, result) => console.log(data, result), 1);
 * await VixDiskLib_Wait(handle);
 * ```
 */
export function VixDiskLib_WriteAsync(
  diskHandle: VixDiskLibHandle | null | undefined,
  startSector: number | bigint,
  numSectors: number | bigint,
  writeBuffer: Uint8Array | null | undefined,
  callback: VixDiskLibCompletionCB | null | undefined,
  cbData: unknown,
): VixError {
  return startAsync(diskHandle, numSectors, callback, cbData, (handle) =>
    handle.write(startSector, numSectors, writeBuffer),
  );
}
