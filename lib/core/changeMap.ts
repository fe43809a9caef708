/**
 * The answer to "what changed between A and B", and of the same shape to "what holds data": ascending, disjoint,
 * coalesced byte ranges. Nothing is held in memory until it is asked for, and then no more than one batch of it, so a map
 * of any disk can be read in bounded memory; `ranges()` is for those who want it whole.
 */
import { type AreaKinds, splitByKind } from './areaKinds.js';
import type { BitmapKernel } from './bitmapKernel.js';
import { CbtError, invalidArgument, throwIfAborted } from './errors.js';
import { abortSignal, anything, type Checks, callback, checkOptions } from './options.js';
import { type MapContent, type OwnMapFacts, ownMap } from './ownMap.js';
import { type OnProgress, Progress } from './progress.js';
import { providedKernel } from './providedKernel.js';
import {
  type ChangedRange,
  checkByteCount,
  checkGranularity,
  checkProgress,
  type RangePage,
  type RangePager,
  type Ranges,
} from './rangePage.js';

export type { ChangedRange } from './rangePage.js';

/** What a map is about. Sizes in bytes. */
export interface ChangeMapFacts {
  disk: string;
  /** Size of the disk at the later end of the map; no range passes it. */
  sizeBytes: number;
  /** Coarsest granularity of what the map was read from; ranges start and end on it, but for growth and overlays. */
  granularityBytes: number;
  /** The earlier point, `*` in an allocated map. */
  from: string;
  /** The later point, null for the disk as it is now. */
  to: string | null;
  /** What limits a right answer, for people; empty as a rule. */
  warnings: readonly string[];
}

/** Which part of a map is read, and how it can be followed and stopped. */
export interface ChangeMapSelection {
  /** First byte asked about; 0 unless told. */
  start?: number | undefined;
  /** At most this many ranges; all unless told. */
  max?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told after every page how far the reading is: bytes of the disk that are done, of all. */
  onProgress?: OnProgress | undefined;
}

const SELECTION: Checks<ChangeMapSelection> = {
  // Looked at where the size is known.
  start: anything,
  max: anything,
  signal: abortSignal,
  onProgress: callback,
};

/** Ranges in one batch of a stream: 1 MiB of pairs. */
const BATCH_RANGES = 65_536;

/** Bits are painted in pieces of this many bytes. */
const BIT_CHUNK_BYTES = 1 << 20;

/**
 * The answer to "what changed between A and B", and to "what holds data": ascending, disjoint, coalesced byte ranges. Read page
 * by page when it is asked, in bounded memory but for `ranges` and `bits`; it may hold too much, never too little.
 */
export class ChangeMap implements ChangeMapFacts {
  readonly disk: string;
  readonly sizeBytes: number;
  readonly granularityBytes: number;
  readonly from: string;
  readonly to: string | null;
  readonly warnings: readonly string[];
  readonly #pager: RangePager;
  readonly #kernel: BitmapKernel;
  readonly #data: RangePager | undefined;
  readonly #start: number;
  readonly #max: number;
  readonly #signal: AbortSignal | undefined;
  readonly #progress: Progress;

  /**
   * A map of one's own, for a source that QEMU's bitmaps do not serve: a storage's snapshots, another hypervisor, a test. Ranges past the
   * end of the disk are `ERR_CBT_INVALID_ARGUMENT`; of a pager every page is checked, and one that breaks the rules of `RangePager` is
   * `ERR_CBT_BACKEND_PROTOCOL` where it is read.
   */
  static async from(
    content: MapContent,
    facts: OwnMapFacts,
    selection: ChangeMapSelection = {},
  ): Promise<ChangeMap> {
    checkOptions('ChangeMap.from', selection, SELECTION);
    const kernel = await providedKernel();
    const own = ownMap(content, facts, kernel);
    return new ChangeMap(own.facts, own.pager, kernel, selection, own.data);
  }

  /** @internal `data`: where the disk holds data at the map's later end, for `kinds()`. */
  constructor(
    facts: ChangeMapFacts,
    pager: RangePager,
    kernel: BitmapKernel,
    selection: ChangeMapSelection = {},
    data?: RangePager,
  ) {
    checkByteCount('sizeBytes', facts.sizeBytes);
    checkGranularity('granularityBytes', facts.granularityBytes);
    this.disk = facts.disk;
    this.sizeBytes = facts.sizeBytes;
    this.granularityBytes = facts.granularityBytes;
    this.from = facts.from;
    this.to = facts.to;
    this.warnings = facts.warnings;
    this.#pager = pager;
    this.#kernel = kernel;
    this.#data = data;
    this.#signal = selection.signal;
    this.#progress = new Progress('map', selection.onProgress, { totalBytes: facts.sizeBytes });
    this.#max = checkCount('max', selection.max);
    this.#start = checkStart(selection.start, facts.sizeBytes);
  }

  /** First byte asked about. */
  get start(): number {
    return this.#start;
  }

  /** One page: the ranges from `start` on, at most `max`, and where the next page starts (`sizeBytes` at the end). */
  async page(): Promise<RangePage> {
    return this.#page(this.#start, this.#max);
  }

  /** All ranges of the selection in one flat array of offset/length pairs: 16 bytes a range. */
  async ranges(): Promise<Ranges> {
    const page = await this.page();
    if (page.nextBytes >= this.sizeBytes) return page.ranges;
    const parts: Ranges[] = [];
    for await (const batch of this.batches()) parts.push(batch);
    const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** The ranges in batches of at most `maxRanges`, coalesced across batches: no two ranges of the stream touch. */
  async *batches({
    maxRanges = BATCH_RANGES,
  }: {
    maxRanges?: number;
  } = {}): AsyncGenerator<Ranges, void, undefined> {
    const most = checkCount('maxRanges', maxRanges);
    let at = this.#start;
    let left = this.#max;
    let pending: ChangedRange | null = null;
    while (at < this.sizeBytes && left > 0) {
      const page: RangePage = await this.#page(at, Math.min(most, left));
      at = page.nextBytes;
      const joined: Ranges = joinPending(pending, page.ranges);
      const cut: { ready: Ranges; pending: ChangedRange | null } =
        at < this.sizeBytes ? holdLast(joined, at) : { ready: joined, pending: null };
      pending = cut.pending;
      // The range held back comes on top of a full page: one more than fits in a batch, or than is left.
      const ready = cut.ready.subarray(0, 2 * left);
      left -= ready.length / 2;
      for (let i = 0; i < ready.length; i += 2 * most) yield ready.subarray(i, i + 2 * most);
    }
  }

  /**
   * The areas in batches, cut into those that hold data and those that read as zeros (discarded, zeroed, or new). For
   * maps that were asked for with `kinds`.
   */
  async *kinds(): AsyncGenerator<AreaKinds, void, undefined> {
    const data = this.#data;
    if (data === undefined) {
      throw invalidArgument('kinds', false, 'a map that was asked for with kinds');
    }
    const named: RangePager = { page: (window) => this.#named(() => data.page(window)) };
    for await (const batch of this.batches()) yield* splitByKind(this.#kernel, batch, named, this.#signal);
  }

  /** One range after the other; for speed take {@link batches}. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ChangedRange, void, undefined> {
    for await (const batch of this.batches()) {
      for (let i = 0; i < batch.length; i += 2) yield { offset: batch[i] ?? 0, length: batch[i + 1] ?? 0 };
    }
  }

  /** Bytes in the ranges from `start` on; `max` does not limit it. */
  async changedBytes(): Promise<number> {
    const { signal } = this.#window(this.#start);
    const { count } = this.#pager;
    if (count !== undefined) {
      const window = { startBytes: this.#start, endBytes: this.sizeBytes, signal };
      return this.#named(() => count.call(this.#pager, window));
    }
    let sum = 0;
    for (let at = this.#start; at < this.sizeBytes; ) {
      const page = await this.#page(at, BATCH_RANGES);
      for (let i = 1; i < page.ranges.length; i += 2) sum += page.ranges[i] ?? 0;
      at = page.nextBytes;
    }
    return sum;
  }

  /**
   * The map as bits, least significant first, widened outward to `granularityBytes`: bit n covers
   * [start + n*g, start + (n+1)*g). `start` must be a multiple of the granularity; `max` does not limit it.
   */
  async bits(granularityBytes: number = this.granularityBytes): Promise<Uint8Array> {
    checkGranularity('granularityBytes', granularityBytes);
    const bits = Math.ceil((this.sizeBytes - this.#start) / granularityBytes);
    if (bits > 2 ** 35) {
      throw invalidArgument(
        'granularityBytes',
        granularityBytes,
        `coarse enough for ${this.sizeBytes} bytes in 4 GiB of bits, or bitBatches()`,
      );
    }
    const whole = new Uint8Array(Math.ceil(bits / 8));
    let at = 0;
    for await (const chunk of this.bitBatches(granularityBytes)) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  /** As {@link bits}, in pieces of bounded size, in order; together they are the whole. */
  async *bitBatches(
    granularityBytes: number = this.granularityBytes,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    checkGranularity('granularityBytes', granularityBytes);
    if (this.#start % granularityBytes !== 0) {
      throw invalidArgument('start', this.#start, `a multiple of the granularity ${granularityBytes}`);
    }
    const chunkBytes = BIT_CHUNK_BYTES * 8 * granularityBytes;
    for (let from = this.#start; from < this.sizeBytes; from += chunkBytes) {
      const until = Math.min(from + chunkBytes, this.sizeBytes);
      const painted = new Uint8Array(Math.ceil((until - from) / granularityBytes / 8));
      for (let at = from; at < until; ) {
        const page = await this.#page(at, BATCH_RANGES, until);
        if (page.ranges.length > 0) await this.#paint(painted, from, until, page, granularityBytes);
        at = page.nextBytes;
      }
      yield painted;
    }
  }

  /** ORs one page into the bits of [from, until): only the bytes of bits that the page touches are painted. */
  async #paint(
    painted: Uint8Array,
    from: number,
    until: number,
    page: RangePage,
    granularityBytes: number,
  ): Promise<void> {
    const perByte = 8 * granularityBytes;
    const firstByte = Math.floor((page.startBytes - from) / perByte);
    const endBytes = Math.min(from + Math.ceil((page.nextBytes - from) / perByte) * perByte, until);
    const window = { startBytes: from + firstByte * perByte, endBytes, signal: this.#signal };
    const bits = await this.#named(() => this.#kernel.paintRanges(page.ranges, granularityBytes, window));
    const target = painted.subarray(firstByte, firstByte + bits.length);
    if (target.length !== bits.length) {
      throw new CbtError(
        'ERR_CBT_INTERNAL',
        `painted ${bits.length} bytes of bits where ${target.length} fit`,
      );
    }
    for (let i = 0; i < bits.length; i += 1) target[i] = (target[i] ?? 0) | (bits[i] ?? 0);
  }

  #window(startBytes: number, maxRanges = BATCH_RANGES, endBytes = this.sizeBytes) {
    throwIfAborted(this.#signal);
    return { startBytes, endBytes, maxRanges, signal: this.#signal };
  }

  async #page(startBytes: number, maxRanges: number, endBytes = this.sizeBytes): Promise<RangePage> {
    const window = this.#window(startBytes, maxRanges, endBytes);
    const page = await this.#named(() => this.#pager.page(window));
    checkProgress(window, page, `the map of ${this.disk}`);
    this.#progress.tell(this.disk, page.nextBytes, this.sizeBytes);
    return page;
  }

  /** What fails while a map is read says which disk it is about. */
  async #named<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof CbtError ? error.about(this.disk) : error;
    }
  }
}

/** Puts the range held back in front, joined when the two touch. */
function joinPending(pending: ChangedRange | null, ranges: Ranges): Ranges {
  if (pending === null) return ranges;
  const touches = ranges.length > 0 && ranges[0] === pending.offset + pending.length;
  if (touches) {
    const joined = ranges.slice();
    joined[0] = pending.offset;
    joined[1] = pending.length + (ranges[1] ?? 0);
    return joined;
  }
  const longer = new Float64Array(ranges.length + 2);
  longer.set([pending.offset, pending.length]);
  longer.set(ranges, 2);
  return longer;
}

/** Keeps the last range back when it reaches the end of the page, where the next page may go on with it. */
function holdLast(ranges: Ranges, pageEnd: number): { ready: Ranges; pending: ChangedRange | null } {
  const offset = ranges.at(-2);
  const length = ranges.at(-1);
  if (offset === undefined || length === undefined || offset + length < pageEnd)
    return { ready: ranges, pending: null };
  return { ready: ranges.subarray(0, -2), pending: { offset, length } };
}

function checkStart(start: number | undefined, sizeBytes: number): number {
  if (start === undefined) return 0;
  if (!Number.isSafeInteger(start) || start < 0 || start > sizeBytes) {
    throw invalidArgument('start', start, `a byte offset from 0 to the size of the disk, ${sizeBytes}`);
  }
  // Negative zero passes every check above and would show up in offsets.
  return start === 0 ? 0 : start;
}

function checkCount(argument: string, count: number | undefined): number {
  if (count === undefined) return Number.POSITIVE_INFINITY;
  if (count !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(count) || count < 1)) {
    throw invalidArgument(argument, count, 'a number of ranges, at least 1');
  }
  return count;
}
