import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Writes whole sectors from the buffer; past the end of the disk is VIX_E_DISK_OUTOFRANGE.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param startSector Where it begins, in sectors of 512 bytes.
 * @param numSectors How many sectors of 512 bytes.
 * @param writeBuffer The bytes; at least `numSectors` sectors long.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Write(handle, 0, 1, Buffer.alloc(VIXDISKLIB_SECTOR_SIZE));
 * ```
 */
export async function VixDiskLib_Write(
  diskHandle: VixDiskLibHandle | null | undefined,
  startSector: number | bigint,
  numSectors: number | bigint,
  writeBuffer: Uint8Array | null | undefined,
): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).write(startSector, numSectors, writeBuffer));
}
