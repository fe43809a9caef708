import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Reads whole sectors into the buffer; past the end of the disk is VIX_E_DISK_OUTOFRANGE.
 */
export async function VixDiskLib_Read(
  diskHandle: VixDiskLibHandle | null | undefined,
  startSector: number | bigint,
  numSectors: number | bigint,
  readBuffer: Uint8Array | null | undefined,
): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).read(startSector, numSectors, readBuffer));
}
