/**
 * Reads a disk of a run through its layers, newest first, each byte checked against its sum before it is handed on: of a layer that part only that no
 * newer one says. A sums object is checked as a whole before anything in it is believed.
 */
import { createHash } from 'node:crypto';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { ClusterSet, type Span } from '../clusterSet.js';
import type { LayerPiece } from '../layerReader.js';
import { CLUSTER_BYTES } from '../manifest.js';
import { parseSums, type SumsEntry } from '../sums.js';
import { type BackupTarget, targetFailed } from '../target.js';
import { requireSum } from '../verifiedEntries.js';
import { layerKeys, type ObjectLayer } from './objectManifest.js';

/** Disk bytes looked at in one go: a bit for each cluster of them is kept in memory. */
const WINDOW_BYTES = 2 ** 42;
/** Most bytes of one request. */
const REQUEST_BYTES = 64 << 20;

interface ReadOptions {
  /** Also hand on where the layers hold zeros, or nothing. */
  zeros: boolean;
  signal: AbortSignal | undefined;
  /** Told the bytes of data that were read and checked. */
  onBytes: (bytes: number) => void;
}

/** An entry, and where its bytes lie in the layer's data. */
interface Placed {
  entry: SumsEntry;
  at: number;
}

/** Everything the top layer shows, in no promised order; the full layer comes first in `layers`. */
export async function* readObjectLayers(
  target: BackupTarget,
  layers: readonly ObjectLayer[],
  options: ReadOptions,
): AsyncGenerator<LayerPiece, void, undefined> {
  const sizeBytes = layers.at(-1)?.disk.sizeBytes ?? 0;
  for (const layer of layers) await checkSums(target, layer, options.signal);
  for (let start = 0; start < sizeBytes; start += WINDOW_BYTES) {
    const end = Math.min(start + WINDOW_BYTES, sizeBytes);
    const seen = new ClusterSet(start, end);
    // What a disk that shrank had behind its end is zeros when it grows again.
    let reach = end;
    for (const layer of layers.toReversed()) {
      reach = Math.min(reach, layer.disk.sizeBytes);
      if (reach <= start) break;
      yield* readLayer(target, layer, { start, reach, end, seen }, options);
    }
    if (options.zeros) for (const gap of seen.gaps()) yield { ...gap, data: null };
  }
}

interface Window {
  start: number;
  reach: number;
  end: number;
  seen: ClusterSet;
}

async function* readLayer(
  target: BackupTarget,
  layer: ObjectLayer,
  window: Window,
  options: ReadOptions,
): AsyncGenerator<LayerPiece, void, undefined> {
  const { start, reach, seen } = window;
  const wholeLength = ({ offset, length }: Span): number =>
    Math.min(Math.ceil((offset + length) / CLUSTER_BYTES) * CLUSTER_BYTES, window.end) - offset;
  for await (const batch of placedEntries(target, layer, options.signal)) {
    const visible = new Map<SumsEntry, Span[]>();
    const wanted: Placed[] = [];
    for (const placed of batch) {
      const { entry } = placed;
      const parts = seen.take(Math.max(entry.offset, start), Math.min(entry.offset + entry.length, reach));
      if (entry.sha256 === null) {
        for (const part of parts) if (options.zeros) yield { ...part, length: wholeLength(part), data: null };
        continue;
      }
      const shown = [...parts];
      if (shown.length === 0) continue;
      visible.set(entry, shown);
      wanted.push(placed);
    }
    for await (const { entry, data } of readEntries(target, layer, wanted, options.signal)) {
      for (const part of visible.get(entry) ?? []) {
        const at = part.offset - entry.offset;
        yield { offset: part.offset, data: data.subarray(at, at + part.length) };
        const rest = wholeLength(part) - part.length;
        if (options.zeros && rest > 0) yield { offset: part.offset + part.length, length: rest, data: null };
      }
      options.onBytes(data.length);
    }
  }
}

/** Every entry of data of a layer against its sum, and that there is nothing more. */
export async function checkObjectLayer(
  target: BackupTarget,
  layer: ObjectLayer,
  options: Omit<ReadOptions, 'zeros'>,
): Promise<void> {
  await checkSums(target, layer, options.signal);
  let behind = 0;
  for await (const batch of placedEntries(target, layer, options.signal)) {
    const stored = batch.filter(({ entry }) => entry.sha256 !== null);
    for await (const { entry, data } of readEntries(target, layer, stored, options.signal)) {
      behind += entry.length;
      options.onBytes(data.length);
    }
  }
  if (behind !== layer.disk.storedBytes)
    throw damaged(
      layerKeys(layer).data,
      `its sums are of ${behind} bytes, its run stored ${layer.disk.storedBytes}`,
    );
}

async function* placedEntries(
  target: BackupTarget,
  layer: ObjectLayer,
  signal: AbortSignal | undefined,
): AsyncGenerator<Placed[], void, undefined> {
  const { sums } = layerKeys(layer);
  let at = 0;
  const chunks = bytesOf(target, sums, { signal });
  for await (const entries of parseSums(chunks, sums, layer.disk.sizeBytes, layer.disk.sums)) {
    yield entries.map((entry) => {
      const placed = { entry, at };
      if (entry.sha256 !== null) at += entry.length;
      return placed;
    });
  }
}

/** The entries' bytes; those that lie together are asked for together. */
async function* readEntries(
  target: BackupTarget,
  layer: ObjectLayer,
  wanted: readonly Placed[],
  signal: AbortSignal | undefined,
): AsyncGenerator<{ entry: SumsEntry; data: Buffer }, void, undefined> {
  const { data: key } = layerKeys(layer);
  for (let first = 0; first < wanted.length; ) {
    const from = wanted[first]?.at ?? 0;
    let behind = first;
    let length = 0;
    for (let one = wanted[behind]; one !== undefined && one.at === from + length; one = wanted[behind]) {
      if (length > 0 && length + one.entry.length > REQUEST_BYTES) break;
      length += one.entry.length;
      behind += 1;
    }
    const run = wanted.slice(first, behind);
    yield* cut(key, run, bytesOf(target, key, { offset: from, length, signal }));
    first = behind;
  }
}

/** Cuts what comes into the entries, and checks each. */
async function* cut(
  key: string,
  run: readonly Placed[],
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ entry: SumsEntry; data: Buffer }, void, undefined> {
  const entries = run.values();
  let entry = entries.next().value?.entry;
  let data = Buffer.alloc(entry?.length ?? 0);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      if (entry === undefined) throw damaged(key, 'more came than was asked for');
      const part = chunk.subarray(at, at + data.length - filled);
      data.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < data.length) continue;
      requireSum(key, entry, data);
      yield { entry, data };
      entry = entries.next().value?.entry;
      data = Buffer.alloc(entry?.length ?? 0);
      filled = 0;
    }
  }
  if (entry !== undefined) throw damaged(key, `bytes of the disk at ${entry.offset} are missing`);
}

async function checkSums(
  target: BackupTarget,
  layer: ObjectLayer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { sums } = layerKeys(layer);
  const expected = layer.disk.sums;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of bytesOf(target, sums, { signal })) {
    bytes += chunk.length;
    if (bytes > expected.bytes) break;
    hash.update(chunk);
  }
  if (bytes !== expected.bytes || hash.digest('hex') !== expected.sha256)
    throw damaged(sums, `the manifest says ${expected.bytes} bytes with SHA-256 ${expected.sha256}`);
}

async function* bytesOf(
  target: BackupTarget,
  key: string,
  options: { offset?: number; length?: number; signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of target.read(key, options)) {
      throwIfAborted(options.signal);
      if (!(chunk instanceof Uint8Array))
        throw new CbtError(
          'ERR_CBT_BACKEND_PROTOCOL',
          `${target.name} gave ${typeof chunk} as bytes of ${key}`,
        );
      yield chunk;
    }
  } catch (error) {
    throw targetFailed(target, key, 'reading', error);
  }
}

function damaged(key: string, what: string): CbtError {
  return new CbtError('ERR_CBT_CORRUPT_IMAGE', `${key} is damaged: ${what}`, { details: { key } });
}
