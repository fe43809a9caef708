/** Where a disk holds data, in whole chunks of sectors, clipped to the window and to the disk. */

import { requireCount } from '../arguments.js';
import {
  VIXDISKLIB_MAX_CHUNK_NUMBER,
  VIXDISKLIB_MIN_CHUNK_SIZE,
  VIXDISKLIB_SECTOR_SIZE,
} from '../constants/values.js';
import { invalid } from '../errors.js';
import type { VixDiskLibBlock } from '../types.js';
import type { VixDiskLibHandle } from './handle.js';

/** Most ranges of a page. */
const PAGE_RANGES = 65_536;

/** Start and chunk must be multiples of 128 sectors; a count that passes the end of the disk is cut there. */
export async function allocatedBlocks(
  handle: VixDiskLibHandle,
  startSector: unknown,
  numSectors: unknown,
  chunkSize: unknown,
): Promise<VixDiskLibBlock[]> {
  const start = requireCount('startSector', startSector);
  const count = requireCount('numSectors', numSectors);
  const chunk = requireCount('chunkSize', chunkSize);
  for (const [name, value] of [
    ['startSector', start],
    ['numSectors', count],
    ['chunkSize', chunk],
  ] as const) {
    const tail = name === 'numSectors' && start + count >= handle.capacity;
    if (value % VIXDISKLIB_MIN_CHUNK_SIZE !== 0 && !tail)
      throw invalid(name, `a multiple of ${VIXDISKLIB_MIN_CHUNK_SIZE} sectors`);
  }
  if (chunk === 0) throw invalid('chunkSize', `at least ${VIXDISKLIB_MIN_CHUNK_SIZE} sectors`);
  if (Math.ceil(count / chunk) > VIXDISKLIB_MAX_CHUNK_NUMBER)
    throw invalid('numSectors', `at most ${VIXDISKLIB_MAX_CHUNK_NUMBER} chunks of ${chunk} sectors`);
  const end = Math.min(start + count, handle.capacity);
  const blocks: VixDiskLibBlock[] = [];
  if (start >= end) return blocks;
  const pager = handle.dataPager();
  const endBytes = end * VIXDISKLIB_SECTOR_SIZE;
  for (let at = start * VIXDISKLIB_SECTOR_SIZE; at < endBytes; ) {
    const page = await pager.page({ startBytes: at, endBytes, maxRanges: PAGE_RANGES });
    for (let i = 0; i < page.ranges.length; i += 2)
      addChunks(blocks, page.ranges[i] ?? 0, page.ranges[i + 1] ?? 0, { start, end, chunk });
    at = page.nextBytes;
  }
  return blocks;
}

/** Widens a range of bytes outward to chunks, counted from the start of the window, and joins it with the block before. */
function addChunks(
  blocks: VixDiskLibBlock[],
  offsetBytes: number,
  lengthBytes: number,
  { start, end, chunk }: { start: number; end: number; chunk: number },
): void {
  const chunkOf = (sector: number, round: (n: number) => number): number =>
    round((sector - start) / chunk) * chunk + start;
  const first = chunkOf(Math.floor(offsetBytes / VIXDISKLIB_SECTOR_SIZE), Math.floor);
  const behind = Math.min(
    chunkOf(Math.ceil((offsetBytes + lengthBytes) / VIXDISKLIB_SECTOR_SIZE), Math.ceil),
    end,
  );
  const last = blocks[blocks.length - 1];
  if (last !== undefined && first <= last.offset + last.length)
    last.length = Math.max(last.offset + last.length, behind) - last.offset;
  else blocks.push({ offset: first, length: behind - first });
}
