import type { VixError } from '../constants/codes.js';
import { startAsync } from '../objects/asyncCall.js';
import type { VixDiskLibHandle } from '../objects/handle.js';
import type { VixDiskLibCompletionCB } from '../types.js';

/**
 * As {@link VixDiskLib_Write}, many at a time: answers VIX_ASYNC at once, and the callback gets the outcome. The buffer is the library's until then. What
 * is on its way is bounded; the rest waits its turn.
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
