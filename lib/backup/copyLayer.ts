/**
 * Copies the changed ranges of a disk into a fresh layer: reads ahead, looks for zeros cluster by cluster, sums up, and
 * keeps many writes in flight. Memory is bounded by the two queues.
 *
 *   map      [======]   [=]          in any granularity
 *   clusters [..====.]  [=..]        widened to whole clusters of the layer, merged
 *   layer    |data|zero|data|        zero clusters are marked, never stored
 */
import { createHash, type Hash } from 'node:crypto';
import type { ChangeMap } from '../core/changeMap.js';
import type { DiskData, DiskPiece } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';
import type { Ranges } from '../core/rangePage.js';
import { CLUSTER_BYTES } from './manifest.js';
import type { RateLimit } from './rate.js';
import { ENTRY_BYTES, type SumsWriter } from './sums.js';

export interface CopyOptions {
  source: DiskData;
  target: DiskData;
  map: ChangeMap;
  sizeBytes: number;
  /** Below a full layer is nothing: its zeros need no mark. */
  full: boolean;
  sums: SumsWriter;
  rate: RateLimit | null;
  /** Bytes read ahead, and as many on their way to the target. */
  queueBytes: number;
  signal: AbortSignal | undefined;
  /** Told as bytes are read. */
  onBytes: (bytes: number) => void;
}

export interface Copied {
  storedBytes: number;
  zeroBytes: number;
}

/** Zero ranges told to the target at once. */
const ZERO_PAIRS = 2 * 512;
const ZEROS = Buffer.alloc(CLUSTER_BYTES);

export async function copyLayer(options: CopyOptions): Promise<Copied> {
  const { target, queueBytes, signal } = options;
  const copy = new LayerCopy(options);
  await target.writeStream(copy.pieces(), { queueBytes, ...(signal === undefined ? {} : { signal }) });
  return { storedBytes: copy.storedBytes, zeroBytes: copy.zeroBytes };
}

class LayerCopy {
  storedBytes = 0;
  zeroBytes = 0;
  readonly #options: CopyOptions;
  #zeros: number[] = [];
  /** The entry of the sums that is being filled. */
  #entry: { offset: number; end: number; hash: Hash } | null = null;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /** What is to be written. A piece's memory is only lent: it is copied when its write starts. */
  async *pieces(): AsyncGenerator<DiskPiece, void, undefined> {
    const { source, map, sizeBytes, rate, queueBytes, signal, onBytes } = this.#options;
    for await (const ranges of wholeClusters(map, sizeBytes)) {
      const stream = source.stream(ranges, { queueBytes, lend: true, ...(signal && { signal }) });
      for await (const { offset, data } of stream) {
        if (rate !== null) await rate.take(data.length, signal);
        yield* this.#split(offset, data);
        onBytes(data.length);
      }
    }
    await this.#endEntry();
    await this.#sendZeros();
  }

  async *#split(offset: number, data: Buffer): AsyncGenerator<DiskPiece, void, undefined> {
    if (offset % CLUSTER_BYTES !== 0)
      throw new CbtError('ERR_CBT_INTERNAL', `a piece of data starts at ${offset}, within a cluster`);
    for (let at = 0; at < data.length; ) {
      const zero = isZero(data, at);
      let end = Math.min(at + CLUSTER_BYTES, data.length);
      while (end < data.length && isZero(data, end) === zero)
        end = Math.min(end + CLUSTER_BYTES, data.length);
      if (zero) await this.#addZeros(offset + at, end - at);
      else {
        const run = data.subarray(at, end);
        await this.#addData(offset + at, run);
        yield { offset: offset + at, data: run };
      }
      at = end;
    }
  }

  async #addData(offset: number, data: Buffer): Promise<void> {
    this.storedBytes += data.length;
    for (let at = 0; at < data.length; ) {
      const start = offset + at;
      const edge = (Math.floor(start / ENTRY_BYTES) + 1) * ENTRY_BYTES;
      const end = Math.min(offset + data.length, edge);
      if (this.#entry !== null && this.#entry.end !== start) await this.#endEntry();
      this.#entry ??= { offset: start, end: start, hash: createHash('sha256') };
      this.#entry.hash.update(data.subarray(at, end - offset));
      this.#entry.end = end;
      if (end === edge) await this.#endEntry();
      at = end - offset;
    }
  }

  async #endEntry(): Promise<void> {
    const entry = this.#entry;
    if (entry === null) return;
    this.#entry = null;
    const { offset, end, hash } = entry;
    await this.#options.sums.add({ offset, length: end - offset, sha256: hash.digest('hex') });
  }

  async #addZeros(offset: number, length: number): Promise<void> {
    this.zeroBytes += length;
    await this.#endEntry();
    if (this.#options.full) return;
    await this.#options.sums.add({ offset, length, sha256: null });
    const last = this.#zeros.length - 2;
    const lastEnd = last < 0 ? -1 : (this.#zeros[last] ?? 0) + (this.#zeros[last + 1] ?? 0);
    if (lastEnd === offset) this.#zeros[last + 1] = (this.#zeros[last + 1] ?? 0) + length;
    else this.#zeros.push(offset, length);
    if (this.#zeros.length >= ZERO_PAIRS) await this.#sendZeros();
  }

  async #sendZeros(): Promise<void> {
    if (this.#zeros.length === 0) return;
    const ranges = Float64Array.from(this.#zeros);
    this.#zeros = [];
    const { target, signal } = this.#options;
    await target.zero(ranges, signal === undefined ? {} : { signal });
  }
}

/** Whether the cluster that starts here (the last may be short) holds nothing but zeros. */
function isZero(data: Buffer, at: number): boolean {
  if (data[at] !== 0) return false;
  const end = Math.min(at + CLUSTER_BYTES, data.length);
  return data.compare(ZEROS, 0, end - at, at, end) === 0;
}

/** The map's ranges widened to whole clusters, merged, clipped to the disk, in batches. */
export async function* wholeClusters(
  map: ChangeMap,
  sizeBytes: number,
): AsyncGenerator<Ranges, void, undefined> {
  let start = -1;
  let end = -1;
  for await (const batch of map.batches()) {
    const pairs: number[] = [];
    for (let i = 0; i < batch.length; i += 2) {
      const offset = batch[i] ?? 0;
      const from = offset - (offset % CLUSTER_BYTES);
      const rawEnd = offset + (batch[i + 1] ?? 0);
      const until = Math.min(Math.ceil(rawEnd / CLUSTER_BYTES) * CLUSTER_BYTES, sizeBytes);
      if (from <= end) end = Math.max(end, until);
      else {
        if (end > start) pairs.push(start, end - start);
        start = from;
        end = until;
      }
    }
    if (pairs.length > 0) yield Float64Array.from(pairs);
  }
  if (end > start) yield Float64Array.of(start, end - start);
}
