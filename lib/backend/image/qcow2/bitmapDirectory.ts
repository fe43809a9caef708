/**
 * The bitmap directory: one entry per persistent bitmap, back to back (docs/interop/qcow2.txt, "Bitmap directory").
 *
 *   | table offset 8 | table size 4 | flags 4 | type 1 | granularity 1 | name size 2 | extra size 4 | extra | name | pad to 8 |
 *
 * What makes an entry's end unknown, or two entries one, breaks the directory and is thrown. What concerns one bitmap
 * alone stays with that bitmap as a fault, and its neighbours stay readable.
 */
import { corrupt, type Fault, faultError, hex, unsupported } from '../faults.js';
import type { BitmapDirectoryPlace } from './bitmapsExtension.js';
import { u16, u32, u64 } from './fields.js';
import type { Qcow2Header } from './header.js';

const HEAD_BYTES = 24;
const MAX_NAME_BYTES = 1023;
const MIN_GRANULARITY_BITS = 9;
const MAX_GRANULARITY_BITS = 31;
const DIRTY_TRACKING_BITMAP = 1;

const FLAG_IN_USE = 1;
const FLAG_AUTO = 2;
const FLAG_EXTRA_DATA_COMPATIBLE = 4;
const KNOWN_FLAGS = FLAG_IN_USE | FLAG_AUTO | FLAG_EXTRA_DATA_COMPATIBLE;

export interface BitmapEntry {
  name: string;
  granularityBytes: number;
  /** Its writer did not close the image, or still has it open. */
  inUse: boolean;
  /** QEMU records into it again at the next open. */
  auto: boolean;
  /** 64-bit entries at `offsetBytes`; only to be believed without a fault. */
  table: { offsetBytes: number; entries: number };
  /** Why this bitmap cannot be read although its neighbours can. */
  fault?: Fault;
}

export function parseBitmapDirectory(
  where: string,
  bytes: Buffer,
  place: BitmapDirectoryPlace,
): BitmapEntry[] {
  const entries: BitmapEntry[] = [];
  const seen = new Set<string>();
  let at = 0;
  while (at < bytes.length) {
    const number = entries.length + 1;
    const what = `bitmap directory entry ${number}`;
    if (number > place.bitmapCount) {
      throw faultError(
        where,
        corrupt(
          'bitmap_directory_size',
          bytes.length,
          `${at}, the end of entry ${place.bitmapCount} of ${place.bitmapCount}`,
        ),
      );
    }
    if (at + HEAD_BYTES > bytes.length) {
      throw faultError(where, corrupt(`end of ${what}`, at + HEAD_BYTES, `at most ${bytes.length}`));
    }
    const nameBytes = u16(bytes, at + 18);
    const extraBytes = u32(bytes, at + 20);
    const end = at + Math.ceil((HEAD_BYTES + extraBytes + nameBytes) / 8) * 8;
    if (end > bytes.length) {
      const fault = corrupt(
        `end of ${what} (extra_data_size ${extraBytes}, name_size ${nameBytes})`,
        end,
        `at most ${bytes.length}`,
      );
      throw faultError(where, fault);
    }
    const nameStart = at + HEAD_BYTES + extraBytes;
    const name = bytes.subarray(nameStart, nameStart + nameBytes);
    const key = name.toString('latin1');
    if (seen.has(key))
      throw faultError(where, corrupt(`name of ${what}`, JSON.stringify(key), 'unlike every other'));
    seen.add(key);
    entries.push(readEntry(bytes, at, name));
    at = end;
  }
  if (entries.length !== place.bitmapCount) {
    throw faultError(
      where,
      corrupt('nb_bitmaps', place.bitmapCount, `${entries.length}, the entries of the directory`),
    );
  }
  return entries;
}

function readEntry(bytes: Buffer, at: number, nameBytes: Buffer): BitmapEntry {
  const flags = u32(bytes, at + 12);
  const tableOffset = u64(bytes, at);
  const fault =
    findNameFault(nameBytes) ??
    findKindFault(bytes.readUInt8(at + 16), bytes.readUInt8(at + 17), flags, u32(bytes, at + 20)) ??
    (tableOffset > BigInt(Number.MAX_SAFE_INTEGER)
      ? corrupt('bitmap_table_offset', tableOffset, 'below 2^53')
      : undefined);
  return {
    name: nameBytes.toString('utf8'),
    granularityBytes: 2 ** bytes.readUInt8(at + 17),
    inUse: (flags & FLAG_IN_USE) !== 0,
    auto: (flags & FLAG_AUTO) !== 0,
    table: { offsetBytes: Number(tableOffset), entries: u32(bytes, at + 8) },
    ...(fault === undefined ? {} : { fault }),
  };
}

function findNameFault(name: Buffer): Fault | undefined {
  if (name.length < 1 || name.length > MAX_NAME_BYTES) {
    return corrupt('name_size', name.length, `1 to ${MAX_NAME_BYTES}`);
  }
  // QEMU ends a name at its first NUL: what it would show is another name.
  if (name.includes(0)) return corrupt('name', 'text with a NUL byte', 'free of NUL bytes');
  if (!Buffer.from(name.toString('utf8')).equals(name)) return corrupt('name', hexOf(name), 'UTF-8');
  return undefined;
}

/**
 * What this bitmap is. Extra data that nobody here knows may be passed over only where the entry says so itself; a flag
 * that nobody knows may mean anything.
 */
function findKindFault(
  type: number,
  granularityBits: number,
  flags: number,
  extraBytes: number,
): Fault | undefined {
  if (type !== DIRTY_TRACKING_BITMAP)
    return unsupported('type', type, `${DIRTY_TRACKING_BITMAP} (dirty tracking)`);
  if ((flags & ~KNOWN_FLAGS) !== 0) return unsupported('flags', hex(flags), `at most ${hex(KNOWN_FLAGS)}`);
  if (extraBytes !== 0 && (flags & FLAG_EXTRA_DATA_COMPATIBLE) === 0) {
    return unsupported('extra_data_size', extraBytes, '0 unless flag extra_data_compatible is set');
  }
  if (granularityBits < MIN_GRANULARITY_BITS || granularityBits > MAX_GRANULARITY_BITS) {
    const limit = `${MIN_GRANULARITY_BITS} to ${MAX_GRANULARITY_BITS}`;
    return { ...unsupported('granularity_bits', granularityBits, limit), reason: 'GRANULARITY' };
  }
  return undefined;
}

function hexOf(name: Buffer): string {
  const shown = name.subarray(0, 32).toString('hex');
  return name.length > 32 ? `${shown}…` : shown;
}

/** The table's place and size against the disk and the file, as QEMU holds them when it loads the bitmap. */
export function findTableFault(
  entry: BitmapEntry,
  header: Qcow2Header,
  fileBytes: number,
): Fault | undefined {
  const { offsetBytes, entries } = entry.table;
  const { clusterBytes } = header;
  if (offsetBytes < 1 || offsetBytes % clusterBytes !== 0) {
    return corrupt('bitmap_table_offset', offsetBytes, `a positive multiple of ${clusterBytes}`);
  }
  const most = MAX_BITMAP_BYTES / clusterBytes;
  if (entries < 1 || entries > most) return corrupt('bitmap_table_size', entries, `1 to ${most}`);
  if (offsetBytes + entries * 8 > fileBytes) {
    return corrupt(
      'end of the bitmap table',
      offsetBytes + entries * 8,
      `at most ${fileBytes}, the size of the file`,
    );
  }
  // A crashed bitmap may have the table of a size from before a resize; nobody reads its bits.
  if (entry.inUse) return undefined;
  const needed = tableEntries(header, entry.granularityBytes);
  if (entries !== needed) {
    return corrupt('bitmap_table_size', entries, `${needed} for a disk of ${header.sizeBytes} bytes`);
  }
  return undefined;
}

/** QEMU's cap for one bitmap, in bytes of bits. */
const MAX_BITMAP_BYTES = 512 * 2 ** 20;

/** Clusters of bits for the whole disk. QEMU stores bits in words of 64, which divide a cluster. */
function tableEntries(header: Qcow2Header, granularityBytes: number): number {
  const bits = Math.ceil(header.sizeBytes / granularityBytes);
  return Math.ceil(bits / (8 * header.clusterBytes));
}
