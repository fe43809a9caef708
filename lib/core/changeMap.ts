/**
 * The answer to "what changed between A and B", and of the same shape to "what holds data": ascending, disjoint,
 * coalesced byte ranges. Nothing is held in memory until it is asked for, and then no more than one batch of it, so a map
 * of any disk can be read in bounded memory; `ranges()` is for those who want it whole.
 */
import { type AreaKinds, splitByKind } from './areaKinds.js';
import type { BitmapKernel } from './bitmapKernel.js';
import type { CallOptions } from './callOptions.js';
import { CbtError, invalidArgument, throwIfAborted } from './errors.js';
import type { DiskName, PointName } from './ids.js';
import { checkCount, checkStart, holdLast, joinPending } from './mapParts.js';
import { type ChangeMapSelection, selectionChecks } from './mapSelection.js';
import { abortSignal, type Checks, checkCall, checkOptions, count, milliseconds } from './options.js';
import { type MapContent, type OwnMapFacts, ownMap } from './ownMap.js';
import { Progress } from './progress.js';
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
import { underBoth } from './underBoth.js';
import { within } from './within.js';
import { withinEach } from './withinEach.js';

export type { ChangeMapSelection } from './mapSelection.js';
export type { ChangedRange } from './rangePage.js';

/** What a map is about. Sizes in bytes. */
export interface ChangeMapFacts {
  /** Name of the disk. */
  disk: DiskName;
  /** Size of the disk at the later end of the map; no range passes it. */
  sizeBytes: number;
  /** Coarsest granularity of what the map was read from; ranges start and end on it, but for growth and overlays. */
  granularityBytes: number;
  /** The earlier point, `*` in an allocated map. */
  from: PointName;
  /** The later point, null for the disk as it is now. */
  to: PointName | null;
  /** What limits a right answer, for people; empty as a rule. */
  warnings: readonly string[];
}

/** How a map is read in batches; `timeoutMs` is for each of them. */
export interface BatchOptions extends CallOptions {
  /** Most ranges in one; 65 536 unless given. */
  maxRanges?: number | undefined;
}

const BATCHES: Checks<BatchOptions> = { maxRanges: count, signal: abortSignal, timeoutMs: milliseconds };

/** Ranges in one batch of a stream: 1 MiB of pairs. */
const BATCH_RANGES = 65_536;

/** Bits are painted in pieces of this many bytes. */
const BIT_CHUNK_BYTES = 1 << 20;

/**
 * The answer to "what changed between A and B", and to "what holds data": ascending, disjoint, coalesced byte ranges. Read page
 * by page when it is asked, in bounded memory but for `ranges` and `bits`; it may hold too much, never too little.
 * @example
 * ```ts
 * await using disk = await openDisk('/vm/disk.qcow2');
 * const map = await disk.changes({ from: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' });
 * for await (const { offset, length } of map) console.log(offset, length);
 * ```
 */
export class ChangeMap implements ChangeMapFacts {
  /** Name of the disk. */
  readonly disk: DiskName;
  readonly sizeBytes: number;
  readonly granularityBytes: number;
  readonly from: PointName;
  readonly to: PointName | null;
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
   * @param content The ranges, or a pager that tells them.
   * @param facts Which disk, its size, and from where to where.
   * @param selection A window of it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for content that does not fit the facts.
   */
  static async from(
    content: MapContent,
    facts: OwnMapFacts,
    selection: ChangeMapSelection = {},
  ): Promise<ChangeMap> {
    checkOptions('ChangeMap.from', selection, selectionChecks);
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

  /**
   * One page: the ranges from `start` on, at most `max`, and where the next page starts (`sizeBytes` at the end).
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async page(options?: CallOptions): Promise<RangePage> {
    return this.#reading('page', options, (signal) => this.#page(this.#start, this.#max, signal));
  }

  /**
   * All ranges of the selection in one flat array of offset/length pairs: 16 bytes a range.
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async ranges(options?: CallOptions): Promise<Ranges> {
    return this.#reading('ranges', options, (signal) => this.#ranges(signal));
  }

  async #ranges(signal: AbortSignal | undefined): Promise<Ranges> {
    const page = await this.#page(this.#start, this.#max, signal);
    if (page.nextBytes >= this.sizeBytes) return page.ranges;
    const parts: Ranges[] = [];
    for await (const batch of this.#batches(BATCH_RANGES, signal)) parts.push(batch);
    const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /**
   * The ranges in batches of at most `maxRanges`, coalesced across batches: no two ranges of the stream touch.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async *batches(options: BatchOptions = {}): AsyncGenerator<Ranges, void, undefined> {
    checkOptions('batches', options, BATCHES);
    const most = checkCount('maxRanges', options.maxRanges ?? BATCH_RANGES);
    yield* withinEach('the map', options, ({ signal }) => this.#batches(most, signal));
  }

  async *#batches(most: number, signal: AbortSignal | undefined): AsyncGenerator<Ranges, void, undefined> {
    let at = this.#start;
    let left = this.#max;
    let pending: ChangedRange | null = null;
    while (at < this.sizeBytes && left > 0) {
      const page: RangePage = await this.#page(at, Math.min(most, left), signal);
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
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async *kinds(options: CallOptions = {}): AsyncGenerator<AreaKinds, void, undefined> {
    checkCall('kinds', options);
    yield* withinEach('the map', options, ({ signal }) => this.#kinds(signal));
  }

  async *#kinds(signal: AbortSignal | undefined): AsyncGenerator<AreaKinds, void, undefined> {
    const data = this.#data;
    if (data === undefined) {
      throw invalidArgument('kinds', false, 'a map that was asked for with kinds');
    }
    const page: RangePager['page'] = (window) =>
      underBoth(this.#signal, signal, (both) => this.#named(() => data.page({ ...window, signal: both })));
    for await (const batch of this.#batches(BATCH_RANGES, signal))
      yield* splitByKind(this.#kernel, batch, { page }, signal ?? this.#signal);
  }

  /** One range after the other; for speed take {@link batches}. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ChangedRange, void, undefined> {
    for await (const batch of this.#batches(BATCH_RANGES, undefined)) {
      for (let i = 0; i < batch.length; i += 2) yield { offset: batch[i] ?? 0, length: batch[i + 1] ?? 0 };
    }
  }

  /**
   * Bytes in the ranges from `start` on; `max` does not limit it.
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async changedBytes(options?: CallOptions): Promise<number> {
    return this.#reading('changedBytes', options, (signal) => this.#changedBytes(signal));
  }

  async #changedBytes(own: AbortSignal | undefined): Promise<number> {
    throwIfAborted(this.#signal);
    throwIfAborted(own);
    const { count } = this.#pager;
    if (count !== undefined) {
      const window = { startBytes: this.#start, endBytes: this.sizeBytes };
      return underBoth(this.#signal, own, (signal) =>
        this.#named(() => count.call(this.#pager, { ...window, signal })),
      );
    }
    let sum = 0;
    for (let at = this.#start; at < this.sizeBytes; ) {
      const page = await this.#page(at, BATCH_RANGES, own);
      for (let i = 1; i < page.ranges.length; i += 2) sum += page.ranges[i] ?? 0;
      at = page.nextBytes;
    }
    return sum;
  }

  /**
   * The map as bits, least significant first, widened outward to `granularityBytes`: bit n covers
   * [start + n*g, start + (n+1)*g). `start` must be a multiple of the granularity; `max` does not limit it.
   * @param granularityBytes Bytes that one bit stands for; those of the map unless given.
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async bits(granularityBytes: number = this.granularityBytes, options?: CallOptions): Promise<Uint8Array> {
    return this.#reading('bits', options, (signal) => this.#bits(granularityBytes, signal));
  }

  async #bits(granularityBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
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
    for await (const chunk of this.#bitBatches(granularityBytes, signal)) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  /**
   * As {@link bits}, in pieces of bounded size, in order; together they are the whole.
   * @param granularityBytes Bytes that one bit stands for; those of the map unless given.
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async *bitBatches(
    granularityBytes: number = this.granularityBytes,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    checkCall('bitBatches', options);
    yield* withinEach('the map', options, ({ signal }) => this.#bitBatches(granularityBytes, signal));
  }

  async *#bitBatches(
    granularityBytes: number,
    signal: AbortSignal | undefined,
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
        const page = await this.#page(at, BATCH_RANGES, signal, until);
        const part = { painted, from, until, granularityBytes, signal };
        if (page.ranges.length > 0) await this.#paint(part, page);
        at = page.nextBytes;
      }
      yield painted;
    }
  }

  /** ORs one page into the bits of [from, until): only the bytes of bits that the page touches are painted. */
  async #paint({ painted, from, until, granularityBytes, signal }: Part, page: RangePage): Promise<void> {
    const perByte = 8 * granularityBytes;
    const firstByte = Math.floor((page.startBytes - from) / perByte);
    const endBytes = Math.min(from + Math.ceil((page.nextBytes - from) / perByte) * perByte, until);
    const window = { startBytes: from + firstByte * perByte, endBytes, signal: signal ?? this.#signal };
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

  /** A reading with its caller's own signal and time; that of the question counts all the same. */
  async #reading<T>(
    what: string,
    options: CallOptions | undefined,
    work: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    checkCall(what, options);
    return within(what, options, (own) => work(own?.signal));
  }

  async #page(
    startBytes: number,
    maxRanges: number,
    own: AbortSignal | undefined,
    endBytes = this.sizeBytes,
  ): Promise<RangePage> {
    throwIfAborted(this.#signal);
    throwIfAborted(own);
    const window = { startBytes, endBytes, maxRanges };
    const page = await underBoth(this.#signal, own, (signal) =>
      this.#named(() => this.#pager.page({ ...window, signal })),
    );
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

/** A part of the bits while it is painted. */
interface Part {
  painted: Uint8Array;
  from: number;
  until: number;
  granularityBytes: number;
  signal: AbortSignal | undefined;
}
