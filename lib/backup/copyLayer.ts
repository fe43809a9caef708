/**
 * Copies the changed ranges of a disk into a fresh layer: keeps many reads and writes in flight, looks for zeros cluster by
 * cluster, sums up. Memory is bounded by the pieces in flight.
 *
 *   map      [======]   [=]          in any granularity
 *   clusters [..====.]  [=..]        widened to whole clusters of the layer, merged
 *   layer    |data|zero|data|        zero clusters are marked, never stored
 */
import { createHash } from 'node:crypto';
import type { ChangeMap } from '../core/changeMap.js';
import type { Ranges } from '../core/rangePage.js';
import { CLUSTER_BYTES } from './manifest.js';
import type { RateLimit } from './rate.js';
import { readInto } from './readInto.js';
import type { SourceData } from './source.js';
import { ENTRY_BYTES, type SumsWriter } from './sums.js';

/** What a layer is made by. Calls come in order of offset and keep to whole clusters; many may be waited for at once. */
export interface LayerTarget {
  write(offset: number, data: Uint8Array): Promise<void>;
  zero(offset: number, length: number): Promise<void>;
}

export interface CopyOptions {
  source: SourceData;
  target: LayerTarget;
  map: ChangeMap;
  sizeBytes: number;
  /** Below a full layer is nothing: its zeros need no mark. */
  full: boolean;
  sums: Pick<SumsWriter, 'add'>;
  rate: RateLimit | null;
  /** Bytes being read, and as many on their way to the target. */
  queueBytes: number;
  signal: AbortSignal | undefined;
  /** Told as bytes are read. */
  onBytes: (bytes: number) => void;
}

export interface Copied {
  storedBytes: number;
  zeroBytes: number;
}

const ZEROS = Buffer.alloc(CLUSTER_BYTES);

export async function copyLayer(options: CopyOptions): Promise<Copied> {
  const copy = new LayerCopy(options);
  await copy.run();
  return { storedBytes: copy.storedBytes, zeroBytes: copy.zeroBytes };
}

/**
 * Pieces of at most one MiB, each in memory of its own that reads come into and writes go out of, without a copy in
 * between. Reads and writes of many pieces are in flight; what happens between the two goes in order of offset.
 */
class LayerCopy {
  storedBytes = 0;
  zeroBytes = 0;
  readonly #options: CopyOptions;
  readonly #call: { signal?: AbortSignal };
  readonly #pieces: AsyncGenerator<Piece, void, undefined>;
  /** Settles when the piece before the next one has been summed up. */
  #turn: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#call = options.signal === undefined ? {} : { signal: options.signal };
    this.#pieces = pieces(options.map, options.sizeBytes);
  }

  async run(): Promise<void> {
    const count = Math.max(2, Math.floor((2 * this.#options.queueBytes) / ENTRY_BYTES));
    const ended = await Promise.allSettled(Array.from({ length: count }, () => this.#work()));
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }

  async #work(): Promise<void> {
    const memory = Buffer.from(new SharedArrayBuffer(ENTRY_BYTES));
    while (!this.#failed) {
      const next = await this.#next();
      if (next === null) return;
      try {
        await this.#copy(next, memory.subarray(0, next.length));
      } catch (error) {
        this.#failed = true;
        throw error;
      } finally {
        next.done();
      }
    }
  }

  /** Pieces are given out in order, and so are their turns. */
  async #next(): Promise<(Piece & { turn: Promise<void>; done: () => void }) | null> {
    const { value, done: over } = await this.#pieces.next().catch((error: unknown) => {
      this.#failed = true;
      throw error;
    });
    if (over || value === undefined) return null;
    const turn = this.#turn;
    let done = (): void => undefined;
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    return { ...value, turn, done };
  }

  async #copy(
    { offset, length, turn, done }: Piece & { turn: Promise<void>; done: () => void },
    memory: Buffer,
  ): Promise<void> {
    const { source, rate, signal, onBytes } = this.#options;
    if (rate !== null) await rate.take(length, signal);
    await readInto(memory, source, offset, this.#call);
    await turn;
    if (this.#failed) return;
    const writes: Promise<void>[] = [];
    try {
      await this.#store(offset, memory, writes);
      done();
      onBytes(length);
    } finally {
      // The memory is free for the next piece when all of them have ended, whatever became of them.
      await Promise.allSettled(writes);
    }
    await Promise.all(writes);
  }

  /** Sums the piece up and starts to write it, run by run of data or zeros. */
  async #store(offset: number, data: Buffer, writes: Promise<void>[]): Promise<void> {
    const { target, full, sums } = this.#options;
    const started = (write: Promise<void>): void => {
      write.catch(() => undefined);
      writes.push(write);
    };
    for (let from = 0; from < data.length; ) {
      const zero = isZero(data, from);
      let to = Math.min(from + CLUSTER_BYTES, data.length);
      while (to < data.length && isZero(data, to) === zero) to = Math.min(to + CLUSTER_BYTES, data.length);
      const run = { offset: offset + from, length: to - from };
      if (!zero) {
        const bytes = data.subarray(from, to);
        started(target.write(run.offset, bytes));
        this.storedBytes += run.length;
        await sums.add({ ...run, sha256: createHash('sha256').update(bytes).digest('hex') });
      } else {
        this.zeroBytes += run.length;
        if (!full) {
          started(target.zero(run.offset, run.length));
          await sums.add({ ...run, sha256: null });
        }
      }
      from = to;
    }
  }
}

/** Whether the cluster that starts here (the last may be short) holds nothing but zeros. */
function isZero(data: Buffer, at: number): boolean {
  if (data[at] !== 0) return false;
  const end = Math.min(at + CLUSTER_BYTES, data.length);
  return data.compare(ZEROS, 0, end - at, at, end) === 0;
}

interface Piece {
  offset: number;
  length: number;
}

/** What is to be copied, cut at every MiB of the disk. */
async function* pieces(map: ChangeMap, sizeBytes: number): AsyncGenerator<Piece, void, undefined> {
  for await (const ranges of wholeClusters(map, sizeBytes)) {
    for (let i = 0; i < ranges.length; i += 2) {
      const end = (ranges[i] ?? 0) + (ranges[i + 1] ?? 0);
      for (let offset = ranges[i] ?? 0; offset < end; ) {
        const until = Math.min(end, (Math.floor(offset / ENTRY_BYTES) + 1) * ENTRY_BYTES);
        yield { offset, length: until - offset };
        offset = until;
      }
    }
  }
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
