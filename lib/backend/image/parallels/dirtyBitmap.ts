/**
 * One dirty bitmap of the Format Extension (docs/interop/parallels.rst, "Dirty bitmaps feature"): whose it is, and the
 * table of its bitmap clusters in the form the kernel scans.
 *
 *   | size 8, sectors | id 16 | granularity 4, sectors | l1_size 4 | l1_size x u64: 0 clean, 1 dirty, else a sector |
 *
 * Bit n is granule n, least significant first; an L1 entry covers cluster size x 8 granules.
 */
import { CLUSTER_ALL_CLEAN, CLUSTER_ALL_DIRTY } from '../../../core/bitmapKernel.js';
import { MAX_GRANULARITY_BYTES, MIN_GRANULARITY_BYTES } from '../../../core/rangePage.js';
import { corrupt, type Fault, unsupported } from '../faults.js';
import { findPlaceFault, type ParallelsHeader, SECTOR_BYTES } from './header.js';

const HEAD_BYTES = 32;
const L1_ENTRY_BYTES = 8;
/** As many as a qcow2 image can hold; the format sets no limit. */
const MAX_BITMAPS = 65_535;

export interface DirtyBitmap {
  /** Its id as QEMU names it: RFC 4122 text, lower case, no braces. */
  name: string;
  /** Only to be believed without a fault. */
  granularityBytes: number;
  /** Byte offsets, or all clean, or all dirty; empty = all clean. */
  table: Float64Array;
  /** Why it cannot be read although its neighbours can. */
  fault?: Fault;
}

/** All bitmaps of an image; a fault instead where there are too many, or one is so short that it has no name. */
export function parseDirtyBitmaps(
  features: readonly Buffer[],
  header: ParallelsHeader,
  fileBytes: number,
): DirtyBitmap[] | Fault {
  if (features.length > MAX_BITMAPS) {
    return unsupported('count of dirty bitmaps', features.length, `at most ${MAX_BITMAPS}`);
  }
  const short = features.findIndex((data) => data.length < HEAD_BYTES);
  if (short >= 0) {
    return corrupt(
      `data_size of dirty bitmap ${short + 1}`,
      features[short]?.length ?? 0,
      `at least ${HEAD_BYTES}`,
    );
  }
  const taken = new Set<number>([Number(header.extOffSectors) * SECTOR_BYTES]);
  const bitmaps = features.map((data) => parseDirtyBitmap(data, header, fileBytes, taken));
  const counts = new Map<string, number>();
  for (const { name } of bitmaps) counts.set(name, (counts.get(name) ?? 0) + 1);
  return bitmaps.map((bitmap) => {
    const twins = counts.get(bitmap.name) ?? 0;
    return twins === 1 ? bitmap : { ...bitmap, fault: corrupt('bitmaps with this id', twins, 1) };
  });
}

/** `taken`: byte offsets of the clusters that the extension has claimed so far; this bitmap's are added. */
function parseDirtyBitmap(
  data: Buffer,
  header: ParallelsHeader,
  fileBytes: number,
  taken: Set<number>,
): DirtyBitmap {
  const bitmap = { name: uuidText(data.subarray(8, 24)), granularityBytes: MIN_GRANULARITY_BYTES };
  const granularitySectors = data.readUInt32LE(24);
  const fault =
    findSizeFault(data.readBigUInt64LE(0), header) ??
    findGranularityFault(granularitySectors) ??
    findL1SizeFault(data.readUInt32LE(28), data.length, granularitySectors, header);
  if (fault !== undefined) return { ...bitmap, table: new Float64Array(0), fault };
  bitmap.granularityBytes = granularitySectors * SECTOR_BYTES;
  const table = parseL1(data, header, fileBytes, taken);
  return table instanceof Float64Array
    ? { ...bitmap, table }
    : { ...bitmap, table: new Float64Array(0), fault: table };
}

function findSizeFault(sectors: bigint, header: ParallelsHeader): Fault | undefined {
  if (sectors === BigInt(header.diskSectors)) return undefined;
  // The disk was resized behind the bitmap's back.
  const fault = corrupt('bitmap size in sectors', sectors, `${header.diskSectors}, the size of the disk`);
  return { ...fault, reason: 'SIZE' };
}

function findGranularityFault(sectors: number): Fault | undefined {
  const most = MAX_GRANULARITY_BYTES / SECTOR_BYTES;
  if (sectors >= 1 && sectors <= most && (sectors & (sectors - 1)) === 0) return undefined;
  const fault = corrupt('granularity in sectors', sectors, `a power of two from 1 to ${most}`);
  return { ...fault, reason: 'GRANULARITY' };
}

/** A table of no entries is what ploop writes for a bitmap that was just started: all clean. */
function findL1SizeFault(
  l1Size: number,
  dataBytes: number,
  granularitySectors: number,
  header: ParallelsHeader,
): Fault | undefined {
  const bits = Math.ceil(header.diskSectors / granularitySectors);
  const needed = Math.ceil(bits / (header.clusterBytes * 8));
  if (l1Size !== 0 && l1Size !== needed) {
    return corrupt(
      'l1_size',
      l1Size,
      `${needed} for ${bits} bits in clusters of ${header.clusterBytes} bytes, or 0`,
    );
  }
  const most = Math.floor((dataBytes - HEAD_BYTES) / L1_ENTRY_BYTES);
  if (l1Size > most)
    return corrupt('l1_size', l1Size, `at most ${most}, what data_size ${dataBytes} can hold`);
  return undefined;
}

function parseL1(
  data: Buffer,
  header: ParallelsHeader,
  fileBytes: number,
  taken: Set<number>,
): Float64Array | Fault {
  const table = new Float64Array(data.readUInt32LE(28));
  for (let i = 0; i < table.length; i++) {
    const entry = data.readBigUInt64LE(HEAD_BYTES + i * L1_ENTRY_BYTES);
    if (entry <= 1n) {
      table[i] = entry === 0n ? CLUSTER_ALL_CLEAN : CLUSTER_ALL_DIRTY;
      continue;
    }
    const field = `L1 entry ${i}`;
    const misplaced = findPlaceFault(field, entry, header, fileBytes);
    if (misplaced !== undefined) return misplaced;
    const offsetBytes = Number(entry) * SECTOR_BYTES;
    if (taken.has(offsetBytes))
      return corrupt(field, entry, 'a cluster that nothing else of the extension uses');
    taken.add(offsetBytes);
    table[i] = offsetBytes;
  }
  return table;
}

function uuidText(id: Buffer): string {
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
