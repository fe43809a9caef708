/**
 * How far a qcow2 file may grow when QEMU closes it. Every persistent bitmap is written anew, whatever changed in it, before
 * the old ones are freed, and where one does not fit all of them are lost:
 *
 *   for each bitmap   its bits (a cluster of them for every 8 · cluster · granularity bytes of the disk), its table
 *   twice             the directory: one is written before the old one goes, at the close and at every removal
 *   for all of that   reference counts, and the table of them when it has to grow
 *
 * Clusters that are free inside the file would take some of it; nobody may rely on that.
 */
import { ImageFile } from '../imageFile.js';
import { type BitmapEntry, parseBitmapDirectory } from './bitmapDirectory.js';
import { findVoidedBitmaps, parseBitmapsExtension } from './bitmapsExtension.js';
import { parseExtensions } from './extensions.js';
import { KNOWN_HEADER_BYTES, parseHeader, type Qcow2Header, readClusterBits } from './header.js';

/** What decides how much is written. */
export interface BitmapLayout {
  sizeBytes: number;
  clusterBytes: number;
  /** Bits of one reference count; 16 as a rule. */
  refcountBits: number;
  /** Size of the table of reference counts: it is written anew where it does not cover the larger file. */
  refcountTableBytes: number;
  fileBytes: number;
}

/** A bitmap as it will be stored. */
export interface StoredBitmap {
  granularityBytes: number;
  nameBytes: number;
}

/** How the bitmaps of an image are about to change. */
export interface BitmapChange {
  /** Which of those in the image will still be there when it is closed. */
  keeps: (name: string) => boolean;
  /** How many come in. */
  adds: number;
  /** Those in the image where a QEMU has it open: what the file says of them is old. */
  inQemu?: readonly { name: string; granularityBytes: number }[];
  /** Granularity of those that come in; where it is not given, the finest in the image, or QEMU's own choice if that is finer. */
  granularityBytes?: number | undefined;
}

/** A name of ours has about 110 bytes; with its fields and padding. */
const NEW_NAME_BYTES = 160;
const ENTRY_HEAD_BYTES = 24;
/** QEMU's choice: the cluster's size between these. */
const LEAST_DEFAULT_BYTES = 4096;
const MOST_DEFAULT_BYTES = 65536;

/** Most bytes that storing these bitmaps adds to the file. */
export function bytesToStore(layout: BitmapLayout, bitmaps: readonly StoredBitmap[]): number {
  const { sizeBytes, clusterBytes, refcountBits, refcountTableBytes, fileBytes } = layout;
  let clusters = 0;
  let directoryBytes = 0;
  for (const { granularityBytes, nameBytes } of bitmaps) {
    const bits = Math.ceil(sizeBytes / granularityBytes);
    const ofBits = Math.ceil(bits / (8 * clusterBytes));
    clusters += ofBits + Math.ceil((ofBits * 8) / clusterBytes);
    directoryBytes += ENTRY_HEAD_BYTES + Math.ceil(nameBytes / 8) * 8;
  }
  clusters += 2 * Math.ceil(directoryBytes / clusterBytes);
  const countsPerCluster = (clusterBytes * 8) / refcountBits;
  clusters += Math.ceil(clusters / countsPerCluster) + 1;
  const blocks = Math.ceil((fileBytes / clusterBytes + clusters) / countsPerCluster);
  // QEMU makes a new table half as large again as it has to be, and writes it before it frees the old one.
  if (blocks * 8 > refcountTableBytes) clusters += Math.ceil((blocks * 8 * 1.5) / clusterBytes) + 1;
  return clusters * clusterBytes;
}

/** What a change of an image's bitmaps may need. */
export interface BitmapNeed {
  neededBytes: number;
  /** Of an image on a block device: what is free inside the device. Null for a file, which can grow. */
  freeInsideBytes: number | null;
}

/** Reads from the image what a change of its bitmaps may need. */
export async function readBitmapNeed(
  path: string,
  change: BitmapChange,
  signal?: AbortSignal,
): Promise<BitmapNeed> {
  const file = await ImageFile.open(path);
  try {
    const { sizeBytes: fileBytes } = await file.stamp();
    const start = await file.readUpTo(0, KNOWN_HEADER_BYTES, signal);
    const head = await file.readUpTo(0, 2 ** readClusterBits(path, start), signal);
    const header = parseHeader(path, head);
    const entries = change.inQemu ?? (await readEntries(file, head, header, fileBytes, signal));
    const stored = entries
      .filter(({ name }) => change.keeps(name))
      .map(({ name, granularityBytes }) => ({ granularityBytes, nameBytes: Buffer.byteLength(name) }));
    const finest = Math.min(
      defaultGranularity(header.clusterBytes),
      ...entries.map((e) => e.granularityBytes),
    );
    const added = { granularityBytes: change.granularityBytes ?? finest, nameBytes: NEW_NAME_BYTES };
    for (let i = 0; i < change.adds; i++) stored.push(added);
    // Nothing is stored where nothing is there.
    if (entries.length === 0 && change.adds === 0) return { neededBytes: 0, freeInsideBytes: null };
    const { sizeBytes, clusterBytes, refcounts } = header;
    const refcountTableBytes = refcounts.tableClusters * clusterBytes;
    const layout = { sizeBytes, clusterBytes, refcountBits: refcounts.bits, refcountTableBytes, fileBytes };
    const neededBytes = bytesToStore(layout, stored);
    return {
      neededBytes,
      freeInsideBytes: file.isDevice ? await countFree(file, header, fileBytes, signal) : null,
    };
  } finally {
    await file.close();
  }
}

/** The bitmaps that the file lists and QEMU would look at. */
export async function readEntries(
  file: ImageFile,
  head: Buffer,
  header: Qcow2Header,
  fileBytes: number,
  signal: AbortSignal | undefined,
): Promise<BitmapEntry[]> {
  const { path } = file;
  const { bitmaps } = parseExtensions(path, head, header);
  if (bitmaps === undefined || findVoidedBitmaps(header) !== null) return [];
  const place = parseBitmapsExtension(path, bitmaps, header, fileBytes);
  const bytes = await file.readUpTo(place.offsetBytes, place.lengthBytes, signal);
  return parseBitmapDirectory(path, bytes, place);
}

function defaultGranularity(clusterBytes: number): number {
  return Math.min(MOST_DEFAULT_BYTES, Math.max(LEAST_DEFAULT_BYTES, clusterBytes));
}

/** Bytes of the device's clusters of which no reference is counted: what QEMU may still use, for it cannot grow. */
async function countFree(
  file: ImageFile,
  { clusterBytes, refcounts: { offsetBytes, tableClusters, bits } }: Qcow2Header,
  deviceBytes: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const total = Math.floor(deviceBytes / clusterBytes);
  const perBlock = (clusterBytes * 8) / bits;
  const table = await file.readUpTo(offsetBytes, tableClusters * clusterBytes, signal);
  let used = 0;
  for (let i = 0; i * 8 + 8 <= table.length && i * perBlock < total; i++) {
    const block = Number(table.readBigUInt64BE(i * 8) & ~0x1ffn);
    // A block that is not there counts nothing.
    if (block === 0 || !Number.isSafeInteger(block)) continue;
    used += countSet(await file.readUpTo(block, clusterBytes, signal), bits);
  }
  return Math.max(0, total - used) * clusterBytes;
}

/** How many counts of this width are not zero. */
function countSet(block: Buffer, bits: number): number {
  let set = 0;
  if (bits < 8) {
    const mask = 2 ** bits - 1;
    for (const byte of block) for (let at = 0; at < 8; at += bits) if (((byte >> at) & mask) !== 0) set += 1;
    return set;
  }
  const width = bits / 8;
  for (let at = 0; at + width <= block.length; at += width) {
    let any = 0;
    for (let i = at; i < at + width; i++) any |= block[i] ?? 0;
    if (any !== 0) set += 1;
  }
  return set;
}
