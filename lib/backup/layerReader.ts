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
import { throwIfAborted } from '../core/errors.js';
import { ClusterSet, type Span } from './clusterSet.js';
import type { BackupFolder, Layer } from './folder.js';
import type { LayerData } from './layerData.js';
import { openLayer, placeOf } from './layerFiles.js';
import { CLUSTER_BYTES } from './manifest.js';
import { readSums, type SumsEntry } from './sums.js';
import { verifiedEntries } from './verifiedEntries.js';

/** Disk bytes looked at in one go: a bit for each cluster of them is kept in memory. */
const WINDOW_BYTES = 2 ** 42;

export interface ReadLayersOptions {
  /** Also hand on where the layers hold zeros, or nothing. */
  zeros?: boolean;
  /** Of the whole disk, the clusters that are asked for; all unless given. It stays as it is. */
  wanted?: ClusterSet | undefined;
  signal?: AbortSignal | undefined;
  /** Told the bytes of data that were read and checked. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** A piece of data, or of zeros (`data` null). The data is the reader's only until it asks for the next piece. */
export type LayerPiece = { offset: number; data: Buffer } | { offset: number; length: number; data: null };

/**
 * Everything the stack's top layer shows, piece by piece, in no promised order; the stack was checked before. A layer
 * reaches as far as every layer above it does: what a disk that shrank had behind its end is zeros when it grows again.
 */
export async function* readLayers(
  folder: BackupFolder,
  layers: readonly Layer[],
  options: ReadLayersOptions = {},
): AsyncGenerator<LayerPiece, void, undefined> {
  const sizeBytes = layers.at(-1)?.disk.sizeBytes ?? 0;
  for (let start = 0; start < sizeBytes; start += WINDOW_BYTES) {
    const end = Math.min(start + WINDOW_BYTES, sizeBytes);
    const seen = options.wanted?.part(start, end) ?? new ClusterSet(start, end);
    let reach = end;
    for (const layer of layers.toReversed()) {
      throwIfAborted(options.signal);
      reach = Math.min(reach, layer.disk.sizeBytes);
      if (reach <= start) break;
      const { sums } = await placeOf(folder, layer);
      await using data = await openLayer(folder, layer);
      const window = { start, reach, end, seen };
      for await (const entries of readSums(sums, layer.disk.sizeBytes, layer.disk.sums))
        yield* readEntries(data, entries, window, options);
    }
    if (options.zeros) for (const gap of seen.gaps()) yield { ...gap, data: null };
  }
}

/** The part of the disk that is looked at, up to where the layer reaches, and what was handed on of it. */
interface Window {
  start: number;
  reach: number;
  end: number;
  seen: ClusterSet;
}

async function* readEntries(
  data: LayerData,
  entries: readonly SumsEntry[],
  window: Window,
  { zeros, signal, onBytes }: ReadLayersOptions,
): AsyncGenerator<LayerPiece, void, undefined> {
  const { start, reach, seen } = window;
  const visible = new Map<number, Span[]>();
  const wanted: SumsEntry[] = [];
  for (const entry of entries) {
    const from = Math.max(entry.offset, start);
    const parts = seen.take(from, Math.min(entry.offset + entry.length, reach));
    if (entry.sha256 === null) {
      for (const part of parts) if (zeros) yield { ...part, length: wholeLength(part, window), data: null };
      continue;
    }
    const shown = [...parts];
    if (shown.length === 0) continue;
    visible.set(entry.offset, shown);
    wanted.push(entry);
  }
  for await (const piece of verifiedEntries(data, wanted, signal)) {
    for (const part of visible.get(piece.offset) ?? []) {
      const at = part.offset - piece.offset;
      yield { offset: part.offset, data: piece.data.subarray(at, at + part.length) };
      const rest = wholeLength(part, window) - part.length;
      if (zeros && rest > 0) yield { offset: part.offset + part.length, length: rest, data: null };
    }
    onBytes?.(piece.data.length);
  }
}

/** A part that ends within a cluster is zeros from there on, as far as the disk goes. */
function wholeLength({ offset, length }: Span, { end }: Window): number {
  return Math.min(Math.ceil((offset + length) / CLUSTER_BYTES) * CLUSTER_BYTES, end) - offset;
}
