/** Makes a disk what a run says it was, writing only where it differs: each piece is checked, compared with what is there, and then written. */
import type { DiskData } from '../core/diskData.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { BlockTarget } from './blockTarget.js';
import type { ClusterSet } from './clusterSet.js';
import type { BackupFolder, Layer } from './folder.js';
import { placeOf } from './layerFiles.js';
import { readLayers } from './layerReader.js';
import { CLUSTER_BYTES } from './manifest.js';
import { readSums } from './sums.js';

/** What is to become of the target. */
export interface Differing {
  folder: BackupFolder;
  /** The disk at the run, the full layer first; checked already. */
  layers: readonly Layer[];
  target: DiskData;
  /** Clusters that may differ. */
  wanted: ClusterSet;
  /** Clusters in which the target holds data; elsewhere it reads as zeros. */
  held: ClusterSet;
  signal: AbortSignal | undefined;
  /** Told the bytes that were compared. */
  onBytes: (bytes: number) => void;
  /** Told before each write. */
  onWrite: () => void;
}

/** Bytes that were looked at, written as data, and made zeros. */
export interface Written {
  comparedBytes: number;
  writtenBytes: number;
  zeroedBytes: number;
}

const STRIDE_BYTES = 4 << 20;
const QUEUE_BYTES = 8 << 20;
const ZEROS = Buffer.alloc(CLUSTER_BYTES);

/** Writes and brings to stable storage. What lies behind the run’s disk becomes zeros. */
export async function writeDiffering(work: Differing): Promise<Written> {
  const { folder, layers, target, wanted, signal, onWrite } = work;
  const call = signal === undefined ? {} : { signal };
  const done: Written = { comparedBytes: 0, writtenBytes: 0, zeroedBytes: 0 };
  const blocks = new BlockTarget(target, call);
  const runBytes = layers.at(-1)?.disk.sizeBytes ?? 0;
  const zero = async (from: number, until: number): Promise<void> => {
    for await (const { offset, length } of heldData(work, from, until, done)) {
      onWrite();
      await blocks.zero(offset, length);
      done.zeroedBytes += length;
    }
  };
  const pieces = async function* (): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined> {
    for await (const piece of readLayers(folder, layers, { zeros: true, wanted, signal })) {
      if (piece.data === null) await zero(piece.offset, piece.offset + piece.length);
      else
        for (const span of await differing(work, piece.offset, piece.data, done)) {
          onWrite();
          done.writtenBytes += span.data.length;
          yield span;
        }
    }
  };
  await target.writeStream(blocks.wholeBlocks(pieces()), { queueBytes: QUEUE_BYTES, ...call });
  await zero(runBytes, target.info.sizeBytes);
  await blocks.finish();
  return done;
}

/** The parts of the piece that the target has not. */
async function differing(
  { target, signal, onBytes }: Differing,
  offset: number,
  data: Buffer,
  done: Written,
): Promise<{ offset: number; data: Buffer }[]> {
  const found = await target.read(offset, data.length, signal === undefined ? {} : { signal });
  done.comparedBytes += data.length;
  onBytes(data.length);
  return clustersWhere(data.length, (at, end) => data.compare(found, at, end, at, end) !== 0).map(
    ({ at, end }) => ({ offset: offset + at, data: data.subarray(at, end) }),
  );
}

/** Where the target holds other bytes than zeros between two places; what holds no data is not read. */
async function* heldData(
  { target, wanted, held, signal, onBytes }: Differing,
  from: number,
  until: number,
  done: Written,
): AsyncGenerator<{ offset: number; length: number }, void, undefined> {
  const start = Math.floor(from / CLUSTER_BYTES) * CLUSTER_BYTES;
  for (const open of wanted.left(start, until))
    for (const span of held.left(open.offset, open.offset + open.length))
      for (let next = Math.max(span.offset, from); next < span.offset + span.length; next += STRIDE_BYTES) {
        throwIfAborted(signal);
        const length = Math.min(STRIDE_BYTES, span.offset + span.length - next);
        const found = await target.read(next, length, signal === undefined ? {} : { signal });
        done.comparedBytes += length;
        onBytes(length);
        const isData = (at: number, end: number): boolean => ZEROS.compare(found, at, end, 0, end - at) !== 0;
        for (const { at, end } of clustersWhere(length, isData))
          yield { offset: next + at, length: end - at };
      }
}

/** Touching clusters of a piece, counted from its first byte, of which something holds. */
function clustersWhere(
  length: number,
  holds: (at: number, end: number) => boolean,
): { at: number; end: number }[] {
  const spans: { at: number; end: number }[] = [];
  for (let at = 0; at < length; at += CLUSTER_BYTES) {
    const end = Math.min(at + CLUSTER_BYTES, length);
    if (!holds(at, end)) continue;
    const last = spans.at(-1);
    if (last?.end === at) last.end = end;
    else spans.push({ at, end });
  }
  return spans;
}

/** What lies before: bytes that will be compared (of what may differ, what the run has as data, or the target), and those the target may grow by. */
export async function extent(
  { folder, layers, wanted, held }: Pick<Differing, 'folder' | 'layers' | 'wanted' | 'held'>,
  sizeBytes: number,
): Promise<{ compareBytes: number; growBytes: number }> {
  const counted = wanted.part(0, sizeBytes);
  let heldBytes = 0;
  for (const span of held.left(0, sizeBytes))
    heldBytes += drain(counted.take(span.offset, span.offset + span.length));
  const growBytes = await dataBytes(folder, layers, counted);
  return { compareBytes: heldBytes + growBytes, growBytes };
}

/** Bytes of clusters in which a layer has data, of those that are not counted yet. */
async function dataBytes(
  folder: BackupFolder,
  layers: readonly Layer[],
  counted: ClusterSet,
): Promise<number> {
  let bytes = 0;
  for (const layer of layers) {
    const { sums } = await placeOf(folder, layer);
    for await (const entries of readSums(sums, layer.disk.sizeBytes, layer.disk.sums))
      for (const { offset, length, sha256 } of entries)
        if (sha256 !== null) bytes += drain(counted.take(offset, offset + length));
  }
  return bytes;
}

/** Takes all of them; bytes in them. */
function drain(spans: Iterable<{ length: number }>): number {
  let bytes = 0;
  for (const { length } of spans) bytes += length;
  return bytes;
}

/** Throws where the target cannot take the run’s disk. */
export function requireFits(image: string, foundBytes: number, neededBytes: number): void {
  if (foundBytes >= neededBytes) return;
  throw new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `${image} has ${foundBytes} bytes, the disk had ${neededBytes} at that run: make it larger first (qemu-img resize)`,
    { disk: image, details: { argument: 'onto', found: foundBytes, needed: neededBytes } },
  );
}
