import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Reads whole sectors into the buffer; past the end of the disk is VIX_E_DISK_OUTOFRANGE.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param startSector Where it begins, in sectors of 512 bytes.
 * @param numSectors How many sectors of 512 bytes.
 * @param readBuffer Takes the bytes; at least `numSectors` sectors long.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const buffer = Buffer.alloc(64 * VIXDISKLIB_SECTOR_SIZE);
 * const code = await VixDiskLib_Read(handle, 0, 64, buffer);
 * ```
 */
export async function VixDiskLib_Read(
  diskHandle: VixDiskLibHandle | null | undefined,
  startSector: number | bigint,
  numSectors: number | bigint,
  readBuffer: Uint8Array | null | undefined,
): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).read(startSector, numSectors, readBuffer));
}
