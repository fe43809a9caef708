/**
 * Builds small qcow2 images byte by byte, straight from docs/interop/qcow2.txt and sharing no code with the reader, with
 * every field open to damage. Undamaged images pass `qemu-img check`: clusters are laid out in order and counted.
 *
 *   | header, extensions, backing name | refcount table | refcount block | L1 | L2 … | data … | bitmap clusters, tables, directory |
 */

/** Offset and width in bytes of each header field. */
const HEADER_FIELDS = {
  magic: [0, 4],
  version: [4, 4],
  backing_file_offset: [8, 8],
  backing_file_size: [16, 4],
  cluster_bits: [20, 4],
  size: [24, 8],
  crypt_method: [32, 4],
  l1_size: [36, 4],
  l1_table_offset: [40, 8],
  refcount_table_offset: [48, 8],
  refcount_table_clusters: [56, 4],
  nb_snapshots: [60, 4],
  snapshots_offset: [64, 8],
  incompatible_features: [72, 8],
  compatible_features: [80, 8],
  autoclear_features: [88, 8],
  refcount_order: [96, 4],
  header_length: [100, 4],
  compression_type: [104, 1],
} as const;

/** Offset and width in bytes of each field of a bitmap directory entry. */
const ENTRY_FIELDS = {
  bitmap_table_offset: [0, 8],
  bitmap_table_size: [8, 4],
  flags: [12, 4],
  type: [16, 1],
  granularity_bits: [17, 1],
  name_size: [18, 2],
  extra_data_size: [20, 4],
} as const;

/** Offset and width in bytes of each field of the bitmaps extension's data. */
const EXTENSION_FIELDS = {
  nb_bitmaps: [0, 4],
  reserved: [4, 4],
  bitmap_directory_size: [8, 8],
  bitmap_directory_offset: [16, 8],
} as const;

export type HeaderField = keyof typeof HEADER_FIELDS;
export type EntryField = keyof typeof ENTRY_FIELDS;
export type ExtensionField = keyof typeof EXTENSION_FIELDS;

export interface BitmapSpec {
  name: string | Buffer;
  granularityBits?: number;
  /** bit 0 in_use, bit 1 auto, bit 2 extra_data_compatible. */
  flags?: number;
  extra?: Buffer;
  /** Numbers of the dirty bits. */
  dirty?: readonly number[];
  /** Entries of the table as stored, in place of what `dirty` gives. */
  table?: readonly bigint[];
}

export interface Qcow2Spec {
  version?: 2 | 3;
  clusterBits?: number;
  size?: number;
  extendedL2?: boolean;
  backing?: { name: string | Buffer; format?: string };
  /** More header extensions, in order, before the bitmaps extension. */
  extensions?: readonly { type: number; data: Buffer }[];
  /** Guest cluster number to what it is: 'data', 'zero' (flag alone), or an L2 entry as stored. */
  clusters?: ReadonlyMap<number, 'data' | 'zero' | bigint | readonly [bigint, bigint]>;
  bitmaps?: readonly BitmapSpec[];
  /** A LUKS header, which makes the image encrypted. */
  luksHeader?: Buffer;
}

export interface BuiltQcow2 {
  bytes: Buffer;
  /** Offsets in the file. */
  at: {
    l1: number;
    l2: ReadonlyMap<number, number>;
    bitmapsExtension: number;
    directory: number;
    entries: readonly number[];
    tables: readonly number[];
  };
}

export const EXTENSION = {
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  crypto: 0x0537be77,
  bitmaps: 0x23852875,
  dataFile: 0x44415441,
} as const;

const COPIED = 1n << 63n;
const REFCOUNT_TABLE = 1;
const REFCOUNT_BLOCK = 2;

export function buildQcow2(spec: Qcow2Spec = {}): BuiltQcow2 {
  const { version = 3, clusterBits = 16, size = 1 << 20, extendedL2 = false, bitmaps = [] } = spec;
  const clusterBytes = 2 ** clusterBits;
  const clusters: Buffer[] = [
    Buffer.alloc(clusterBytes),
    Buffer.alloc(clusterBytes),
    Buffer.alloc(clusterBytes),
  ];
  /** Puts bytes into whole clusters of their own; answers where. */
  const place = (bytes: Buffer): number => {
    const offset = clusters.length * clusterBytes;
    for (let from = 0; from === 0 || from < bytes.length; from += clusterBytes) {
      const cluster = Buffer.alloc(clusterBytes);
      bytes.copy(cluster, 0, from);
      clusters.push(cluster);
    }
    return offset;
  };

  const { l1Offset, l1Size, l2 } = placeGuest(spec, { clusterBytes, size, extendedL2 }, place, clusters);
  const entries = bitmaps.map((bitmap) => placeBitmap(bitmap, size, clusterBytes, place));
  const directory = Buffer.concat(entries.map((entry) => entry.bytes));
  const directoryOffset = bitmaps.length === 0 ? 0 : place(directory);

  const header = clusters[0]!;
  const set = (field: HeaderField, value: number | bigint) => setHeader(header, field, value);
  set('magic', 0x514649fb);
  set('version', version);
  set('cluster_bits', clusterBits);
  set('size', size);
  set('l1_size', l1Size);
  set('l1_table_offset', l1Offset);
  set('refcount_table_offset', REFCOUNT_TABLE * clusterBytes);
  set('refcount_table_clusters', 1);
  let at = 72;
  if (version === 3) {
    at = 112;
    set('incompatible_features', extendedL2 ? 1n << 4n : 0n);
    set('autoclear_features', bitmaps.length === 0 ? 0n : 1n);
    set('refcount_order', 4);
    set('header_length', at);
  }
  const extension = (type: number, data: Buffer): number => {
    const start = at;
    header.writeUInt32BE(type, at);
    header.writeUInt32BE(data.length, at + 4);
    data.copy(header, at + 8);
    at += 8 + Math.ceil(data.length / 8) * 8;
    return start;
  };
  if (spec.backing?.format !== undefined)
    extension(EXTENSION.backingFormat, Buffer.from(spec.backing.format));
  if (spec.luksHeader !== undefined) {
    set('crypt_method', 2);
    const data = Buffer.alloc(16);
    data.writeBigUInt64BE(BigInt(place(spec.luksHeader)), 0);
    data.writeBigUInt64BE(BigInt(spec.luksHeader.length), 8);
    extension(EXTENSION.crypto, data);
  }
  for (const { type, data } of spec.extensions ?? []) extension(type, data);
  let bitmapsExtension = 0;
  if (bitmaps.length > 0) {
    const data = Buffer.alloc(24);
    data.writeUInt32BE(bitmaps.length, 0);
    data.writeBigUInt64BE(BigInt(directory.length), 8);
    data.writeBigUInt64BE(BigInt(directoryOffset), 16);
    bitmapsExtension = extension(EXTENSION.bitmaps, data);
  }
  extension(0, Buffer.alloc(0));
  if (spec.backing !== undefined) {
    const name = Buffer.from(spec.backing.name);
    set('backing_file_offset', at);
    set('backing_file_size', name.length);
    name.copy(header, at);
  }
  clusters[REFCOUNT_TABLE]!.writeBigUInt64BE(BigInt(REFCOUNT_BLOCK * clusterBytes), 0);
  if (clusters.length > clusterBytes / 2) throw new Error('too many clusters for one refcount block');
  for (let i = 0; i < clusters.length; i++) clusters[REFCOUNT_BLOCK]!.writeUInt16BE(1, i * 2);

  let entryAt = directoryOffset;
  const entryOffsets = entries.map(({ bytes }) => {
    const start = entryAt;
    entryAt += bytes.length;
    return start;
  });
  return {
    bytes: Buffer.concat(clusters),
    at: {
      l1: l1Offset,
      l2,
      bitmapsExtension,
      directory: directoryOffset,
      entries: entryOffsets,
      tables: entries.map((entry) => entry.tableOffset),
    },
  };
}

interface Shape {
  clusterBytes: number;
  size: number;
  extendedL2: boolean;
}

function placeGuest(
  spec: Qcow2Spec,
  { clusterBytes, size, extendedL2 }: Shape,
  place: (bytes: Buffer) => number,
  clusters: readonly Buffer[],
): { l1Offset: number; l1Size: number; l2: Map<number, number> } {
  const entryBytes = extendedL2 ? 16 : 8;
  const perTable = clusterBytes / entryBytes;
  const l1Size = Math.ceil(size / (perTable * clusterBytes));
  const l1Offset = place(Buffer.alloc(Math.max(1, l1Size) * 8));
  const l1Write = (index: number, value: bigint) => {
    const offset = l1Offset + index * 8;
    clusters[Math.floor(offset / clusterBytes)]!.writeBigUInt64BE(value, offset % clusterBytes);
  };
  const l2 = new Map<number, number>();
  for (const [number, what] of spec.clusters ?? []) {
    const index = Math.floor(number / perTable);
    let table = l2.get(index);
    if (table === undefined) {
      table = place(Buffer.alloc(clusterBytes));
      l2.set(index, table);
      l1Write(index, BigInt(table) | COPIED);
    }
    const cluster = clusters[table / clusterBytes]!;
    const [entry, bitmap] = l2Entry(what, extendedL2, () => place(Buffer.alloc(clusterBytes, 0x5a)));
    cluster.writeBigUInt64BE(entry, (number % perTable) * entryBytes);
    if (extendedL2) cluster.writeBigUInt64BE(bitmap, (number % perTable) * entryBytes + 8);
  }
  return { l1Offset, l1Size, l2 };
}

function l2Entry(
  what: 'data' | 'zero' | bigint | readonly [bigint, bigint],
  extendedL2: boolean,
  placeData: () => number,
): readonly [bigint, bigint] {
  if (what === 'data') return [BigInt(placeData()) | COPIED, 0xffff_ffffn];
  if (what === 'zero') return extendedL2 ? [0n, 0xffff_ffffn << 32n] : [1n, 0n];
  return typeof what === 'bigint' ? [what, 0n] : what;
}

function placeBitmap(
  spec: BitmapSpec,
  size: number,
  clusterBytes: number,
  place: (bytes: Buffer) => number,
): { bytes: Buffer; tableOffset: number } {
  const { granularityBits = 16, flags = 0, extra = Buffer.alloc(0), dirty = [] } = spec;
  const bits = Math.ceil(size / 2 ** granularityBits);
  const count = Math.ceil((Math.ceil(bits / 64) * 8) / clusterBytes);
  const table =
    spec.table ??
    Array.from({ length: count }, (_, i) => {
      const cluster = Buffer.alloc(clusterBytes);
      for (const bit of dirty) {
        const byte = Math.floor(bit / 8) - i * clusterBytes;
        if (byte >= 0 && byte < clusterBytes) cluster[byte]! |= 1 << (bit % 8);
      }
      return cluster.some((byte) => byte !== 0) ? BigInt(place(cluster)) : 0n;
    });
  const stored = Buffer.alloc(table.length * 8);
  for (const [i, entry] of table.entries()) stored.writeBigUInt64BE(entry, i * 8);
  const tableOffset = place(stored);

  const name = Buffer.from(spec.name as string);
  const bytes = Buffer.alloc(Math.ceil((24 + extra.length + name.length) / 8) * 8);
  const set = (field: EntryField, value: number) => write(bytes, 0, ENTRY_FIELDS[field], value);
  set('bitmap_table_offset', tableOffset);
  set('bitmap_table_size', table.length);
  set('flags', flags);
  set('type', 1);
  set('granularity_bits', granularityBits);
  set('name_size', name.length);
  set('extra_data_size', extra.length);
  extra.copy(bytes, 24);
  name.copy(bytes, 24 + extra.length);
  return { bytes, tableOffset };
}

/** Overwrites one header field. */
export function setHeader(bytes: Buffer, field: HeaderField, value: number | bigint): void {
  write(bytes, 0, HEADER_FIELDS[field], value);
}

/** Overwrites one field of the bitmaps extension. */
export function setExtension(image: BuiltQcow2, field: ExtensionField, value: number | bigint): void {
  write(image.bytes, image.at.bitmapsExtension + 8, EXTENSION_FIELDS[field], value);
}

/** Overwrites one field of a bitmap's directory entry. */
export function setEntry(image: BuiltQcow2, index: number, field: EntryField, value: number | bigint): void {
  write(image.bytes, image.at.entries[index]!, ENTRY_FIELDS[field], value);
}

function write(
  bytes: Buffer,
  base: number,
  [offset, width]: readonly [number, number],
  value: number | bigint,
): void {
  const exact = BigInt(value);
  for (let i = 0; i < width; i++)
    bytes[base + offset + i] = Number((exact >> BigInt(8 * (width - 1 - i))) & 0xffn);
}
