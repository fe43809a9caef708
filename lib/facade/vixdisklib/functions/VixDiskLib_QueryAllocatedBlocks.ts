import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { allocatedBlocks } from '../objects/allocatedBlocks.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import type { VixDiskLibBlockList } from '../types.js';

/**
 * Where the disk holds data, in chunks of `chunkSize` sectors: what lies between the blocks reads as zeros. Start, count and chunk are multiples of 128
 * sectors, at most 524288 chunks a call. A window that passes the end of the disk is cut there, so a rounded tail needs no care.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param startSector Where it begins, in sectors of 512 bytes.
 * @param numSectors How many sectors of 512 bytes.
 * @param chunkSize Sectors of a chunk, a multiple of VIXDISKLIB_MIN_CHUNK_SIZE.
 * @param blockList Box for the blocks.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const blocks = ref<VixDiskLibBlockList>();
 * const code = await VixDiskLib_QueryAllocatedBlocks(handle, 0, 1 << 20, VIXDISKLIB_MIN_CHUNK_SIZE, blocks);
 * ```
 */
export async function VixDiskLib_QueryAllocatedBlocks(
  diskHandle: VixDiskLibHandle | null | undefined,
  startSector: number | bigint,
  numSectors: number | bigint,
  chunkSize: number | bigint,
  blockList: Ref<VixDiskLibBlockList | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    const handle = VixDiskLibHandle.of(diskHandle);
    const out = requireRef('blockList', blockList);
    const blocks = await allocatedBlocks(handle, startSector, numSectors, chunkSize);
    out.value = { numBlocks: blocks.length, blocks };
  });
}
