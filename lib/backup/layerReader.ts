/**
 * Reads a disk of a run through its layers, each byte checked against the sums before it is handed on. Newest layer first,
 * so that a byte is read once, from the layer that says what it is:
 *
 *   run 3  [==]        [=]          handed on: all of run 3,
 *   run 2     [====]   [==]                    of run 2 what run 3 has not,
 *   run 1  [=================]                 of run 1 the rest
 *
 * A piece is read and summed up whole, even where only a part of it is handed on.
 */
import type { DiskData, DiskPiece } from '../core/diskData.js';
import { throwIfAborted } from '../core/errors.js';
import { openData } from '../data.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkLayerFiles } from './layerHeader.js';
import { CLUSTER_BYTES } from './manifest.js';
import { checkSumsFile, readSums, type SumsEntry } from './sums.js';
import { verifiedEntries } from './verifiedEntries.js';

/** Disk bytes looked at in one go: a bit for each cluster of them is kept in memory. */
const WINDOW_BYTES = 2 ** 42;

export interface ReadLayersOptions {
  /** Also hand on where the layers hold zeros, or nothing. */
  zeros?: boolean;
  signal?: AbortSignal | undefined;
  /** Told the bytes of data that were read and checked. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** A piece of data, or of zeros (`data` null). The data is the reader's only until it asks for the next piece. */
export type LayerPiece = DiskPiece | { offset: number; length: number; data: null };

/** Checks headers and sums files of a chain, without looking at the data. */
export async function checkChain(
  folder: BackupFolder,
  layers: readonly Layer[],
  signal?: AbortSignal,
): Promise<void> {
  await checkLayerFiles(folder, layers, signal);
  for (const { disk } of layers) {
    throwIfAborted(signal);
    await checkSumsFile(folder.file(disk.sums.file), disk.sums);
  }
}

/** Everything the chain's last layer shows, piece by piece, in no promised order; the chain was checked before. */
export async function* readLayers(
  folder: BackupFolder,
  layers: readonly Layer[],
  options: ReadLayersOptions = {},
): AsyncGenerator<LayerPiece, void, undefined> {
  const sizeBytes = layers.at(-1)?.disk.sizeBytes ?? 0;
  for (let start = 0; start < sizeBytes; start += WINDOW_BYTES) {
    const end = Math.min(start + WINDOW_BYTES, sizeBytes);
    const seen = new ClusterSet(start, end);
    for (const { disk } of layers.toReversed()) {
      const path = folder.file(disk.file);
      await using data = await openLayer(path, options.signal);
      for await (const entries of readSums(folder.file(disk.sums.file), disk.sizeBytes)) {
        const inside = entries.flatMap((entry) => within(entry, start, end));
        yield* readEntries(data, path, inside, seen, options);
      }
    }
    if (options.zeros) for (const gap of seen.gaps()) yield { ...gap, data: null };
  }
}

async function* readEntries(
  data: DiskData,
  path: string,
  entries: readonly SumsEntry[],
  seen: ClusterSet,
  { zeros, signal, onBytes }: ReadLayersOptions,
): AsyncGenerator<LayerPiece, void, undefined> {
  const visible = new Map<number, { offset: number; length: number }[]>();
  const wanted: SumsEntry[] = [];
  for (const entry of entries) {
    const parts = seen.take(entry.offset, entry.offset + entry.length);
    if (parts.length === 0) continue;
    if (entry.sha256 === null) {
      if (zeros) for (const part of parts) yield { ...part, data: null };
      continue;
    }
    visible.set(entry.offset, parts);
    wanted.push(entry);
  }
  for await (const piece of verifiedEntries(data, path, wanted, signal)) {
    for (const { offset, length } of visible.get(piece.offset) ?? []) {
      const at = offset - piece.offset;
      yield { offset, data: piece.data.subarray(at, at + length) };
    }
    onBytes?.(piece.data.length);
  }
}

/** A layer's file by itself: what it has not got reads as zeros. */
export function openLayer(path: string, signal?: AbortSignal): Promise<DiskData> {
  return openData(
    { kind: 'qemu-nbd', file: path, format: 'qcow2', withoutBacking: true },
    signal === undefined ? {} : { signal },
  );
}

/** The entry as far as it lies in the window; only zeros are ever cut. */
function within(entry: SumsEntry, start: number, end: number): SumsEntry[] {
  const from = Math.max(entry.offset, start);
  const until = Math.min(entry.offset + entry.length, end);
  return until > from ? [{ ...entry, offset: from, length: until - from }] : [];
}

/** Clusters of a window that are told already, as bits. */
export class ClusterSet {
  readonly #start: number;
  readonly #end: number;
  readonly #bits: Uint8Array;

  constructor(start: number, end: number) {
    this.#start = start;
    this.#end = end;
    this.#bits = new Uint8Array(Math.ceil((end - start) / CLUSTER_BYTES / 8));
  }

  /** The parts of [from, until) that were not told yet; they are from now on. */
  take(from: number, until: number): { offset: number; length: number }[] {
    return this.#parts(from, until, true);
  }

  /** What was never told. */
  gaps(): { offset: number; length: number }[] {
    return this.#parts(this.#start, this.#end, false);
  }

  #parts(from: number, until: number, mark: boolean): { offset: number; length: number }[] {
    const parts: { offset: number; length: number }[] = [];
    let last: { offset: number; length: number } | null = null;
    for (let offset = from; offset < Math.min(until, this.#end); offset += CLUSTER_BYTES) {
      const cluster = (offset - this.#start) / CLUSTER_BYTES;
      const byte = this.#bits[cluster >> 3] ?? 0;
      const bit = 1 << (cluster & 7);
      if ((byte & bit) !== 0) {
        last = null;
        continue;
      }
      if (mark) this.#bits[cluster >> 3] = byte | bit;
      const length = Math.min(CLUSTER_BYTES, until - offset);
      if (last === null) {
        last = { offset, length };
        parts.push(last);
      } else last.length += length;
    }
    return parts;
  }
}
