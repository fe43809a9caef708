/**
 * A disk and its points in time: lists them, and answers what changed between any two. It reads the state afresh for
 * every question, so an answer is never older than its question.
 */
import type { BitmapKernel } from './bitmapKernel.js';
import { openBounded } from './boundedData.js';
import type { CallOptions } from './callOptions.js';
import { currentChain, findProblems, layerOf, readCatalogue, type SegmentPart } from './chain.js';
import { formatChangeId } from './changeId.js';
import { ChangeMap, type ChangeMapSelection } from './changeMap.js';
import { type ChangePlan, planChanges } from './changeQuery.js';
import { closing } from './closing.js';
import type { DiskData, OpenDataOptions } from './diskData.js';
import { CHANGES, type ChangesOptions, PITS, type PitsOptions } from './diskQuestions.js';
import type { BitmapReader, DiskSource, DiskState } from './diskSource.js';
import type { Problem } from './errors.js';
import { CbtError, invalidArgument, throwIfAborted } from './errors.js';
import type { DiskName, Epoch } from './ids.js';
import { selectionChecks } from './mapSelection.js';
import { type Checks, callChecks, checkOptions } from './options.js';
import { clipPager, emptyPager, fixedPager, unionPager } from './pagers.js';
import { listForeign, type PitInfo, type PitList, trackingState } from './pitList.js';
import { type Point, parsePoint } from './point.js';
import type { RangePager } from './rangePage.js';
import { requireSameChains } from './sameChains.js';
import { parseSegmentName } from './segmentName.js';
import { checkSizes } from './sizeHistory.js';
import { within } from './within.js';

export type { ChangesOptions, PitsOptions } from './diskQuestions.js';
export type { ForeignInfo, PitInfo, PitList, TrackingState } from './pitList.js';

/** @internal */
export type AskChanges = (
  options: Pick<ChangesOptions, 'from' | 'to' | 'signal' | 'onProgress'>,
) => Promise<ChangeMap>;

/**
 * A disk that is open for questions. Every question reads the state afresh; nothing is ever written. Failures are `CbtError`s with the disk's name.
 * @example
 * ```ts
 * await using disk = await openDisk('/vm/disk.qcow2');
 * const { pits } = await disk.pits();
 * for (const { pit } of pits) console.log(pit);
 * ```
 */
export class TrackedDisk {
  readonly #source: DiskSource;
  readonly #kernel: BitmapKernel;
  /** PIT of the session whose instant this disk shows; null for a disk as it is now. */
  readonly #instant: string | null;
  #opensData: ((options: OpenDataOptions) => Promise<DiskData>) | null = null;
  readonly #closedWith: { close(): Promise<void> }[] = [];
  /** True, or why it was lost. */
  #closed: boolean | CbtError = false;
  /** The closing that goes on, or went: every later one waits for it. */
  #closing: Promise<void> | null = null;

  /** @internal `openDisk` of the library, a Vm or a Session makes them. */
  constructor(source: DiskSource, kernel: BitmapKernel, instant: string | null = null) {
    this.#source = source;
    this.#kernel = kernel;
    this.#instant = instant;
  }

  /** The disk as the caller named it. */
  get disk(): DiskName {
    return this.#source.disk;
  }

  /** Which kernel does the bulk work: 'avx2', 'portable' or 'script'. */
  get kernelPath(): string {
    return this.#kernel.path;
  }

  /**
   * Format and size of the top layer, the format as QEMU names it, what keeps its bitmaps from being read, the disk's history (null: none), and the
   * one that it had, where its bitmaps count for nothing any more: a candidate, on which nothing may be built.
   * @param options Signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async topLayer(options?: CallOptions): Promise<{
    format: string;
    sizeBytes: number;
    problem: Problem | null;
    epoch: Epoch | null;
    past: Epoch | null;
  }> {
    return this.#asked('topLayer', options, callChecks, async ({ signal }) => {
      const state = await this.#state(signal);
      const { format, problem = null, voided = [] } = layerOf(state, 0);
      const epoch = currentChain(readCatalogue(state))?.epoch ?? null;
      const [past = null, ...others] = new Set(voided.flatMap((name) => parseSegmentName(name)?.epoch ?? []));
      const { sizeBytes } = state;
      return { format, sizeBytes, problem, epoch, past: others.length === 0 ? past : null };
    });
  }

  /**
   * The points in time of the current chain, the bitmaps of others, and what is wrong. Without `count` no bitmap is read, and
   * `changedBytes` is null: a live one costs a connection.
   * @param options Which disks, signal and deadline.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async pits(options?: PitsOptions): Promise<PitList> {
    return this.#asked('pits', options, PITS, async ({ signal, count = true }) => {
      const state = await this.#state(signal);
      const catalogue = readCatalogue(state);
      const chain = currentChain(catalogue);
      const pits: PitInfo[] = [];
      const problems = findProblems(state, catalogue);
      const listSegments = async (bitmapRanges: BitmapReader): Promise<void> => {
        for (const segment of chain?.segments ?? []) {
          pits.push({
            pit: segment.pit,
            sequence: segment.first,
            changeId: formatChangeId({ epoch: segment.epoch, sequence: segment.first, pit: segment.pit }),
            granularityBytes: segment.info.granularityBytes,
            recording: segment.info.recording,
            changedBytes: count
              ? await this.#changedBytes(bitmapRanges, state, segment.parts, problems, signal)
              : null,
          });
        }
      };
      const source = this.#source;
      if (count && source.onOneReading !== undefined) await source.onOneReading(listSegments, signal);
      else await listSegments((...question) => source.bitmapRanges(...question));
      return {
        disk: this.disk,
        sizeBytes: state.sizeBytes,
        epoch: chain?.epoch ?? null,
        state: trackingState(state, catalogue),
        pits,
        foreign: listForeign(state, catalogue),
        problems,
        notes: state.layers.flatMap(({ label, notes = [] }) => notes.map((note) => `${label}: ${note}`)),
      };
    });
  }

  /**
   * What changed from one point to another; `*` asks for what holds data. Throws the reason where that is not known.
   * @param options From which point, up to which.
   * @throws `CbtError`: ERR_CBT_TRACKING_LOST or ERR_CBT_UNKNOWN_PIT with the reason where it is not known what changed: take a full backup.
   */
  async changes(options: ChangesOptions): Promise<ChangeMap> {
    return this.#asked('changes', options, CHANGES, async ({ signal }) => {
      const [from, to] = this.#ends(options);
      if (from.kind === 'allocated') {
        const pit = to?.kind === 'pit' ? to.pit : to?.kind === 'instant' ? to.pit : null;
        if (to !== null && (pit === null || pit !== this.#instant))
          throw invalidArgument(
            'to',
            options.to,
            'left out: what holds data is told of the disk as it is now',
          );
        return this.#allocated(options, signal);
      }
      const state = await this.#state(signal);
      const source = this.#source;
      const bitmapRanges: BitmapReader = (...question) => source.bitmapRanges(...question);
      return this.#answer(options, planChanges(state, from, to), { state, bitmapRanges }, signal);
    });
  }

  /**
   * @internal Many questions of which each is answered by itself. Where the disk can be read so, all stand on one reading: the maps are of use inside
   * `work`, and what changed below it meanwhile is its failure at the end.
   */
  async onOneReading<T>(work: (ask: AskChanges) => Promise<T>, options?: CallOptions): Promise<T> {
    return this.#asked('onOneReading', options, callChecks, async ({ signal }) => {
      const source = this.#source;
      if (source.onOneReading === undefined) return work((asked) => this.changes(asked));
      const state = await this.#state(signal);
      const catalogue = readCatalogue(state);
      return source.onOneReading(
        (bitmapRanges) =>
          work((asked) =>
            this.#coded(async () => {
              const plan = planChanges(state, ...this.#ends(asked), catalogue);
              return this.#answer(asked, plan, { state, bitmapRanges }, asked.signal);
            }),
          ),
        signal,
      );
    });
  }

  /** The two points of a question; the later one null for now. */
  #ends({
    from,
    to = this.#instant ?? undefined,
  }: Pick<ChangesOptions, 'from' | 'to'>): [Point, Point | null] {
    return [parsePoint('from', from), to === undefined ? null : parsePoint('to', to)];
  }

  async #answer(
    options: ChangesOptions,
    plan: ChangePlan,
    { state, bitmapRanges }: { state: DiskState; bitmapRanges: BitmapReader },
    signal: AbortSignal | undefined,
  ): Promise<ChangeMap> {
    const { kinds = false } = options;
    if (kinds && plan.to !== this.#instant) {
      const what = this.#instant === null ? 'the disk as it is now' : `the session's point ${this.#instant}`;
      throw invalidArgument(
        'kinds',
        `up to ${plan.to ?? 'now'}`,
        `a map up to ${what}: only that can be read`,
      );
    }
    // A backend is never asked past the end of what it reads; beyond that, all is counted as grown.
    const upTo = (pager: RangePager, sizeBytes: number): RangePager =>
      sizeBytes < plan.sizeBytes ? clipPager(pager, sizeBytes) : pager;
    const parts: RangePager[] = [];
    const [first] = plan.bitmaps;
    if (first !== undefined) {
      const pager = await bitmapRanges(plan.bitmaps, plan.granularityBytes, signal);
      parts.push(upTo(pager, layerOf(state, first.layer).sizeBytes));
    }
    if (plan.overlayLayers > 0)
      parts.push(upTo(await this.#source.allocatedRanges(plan.overlayLayers, signal), state.sizeBytes));
    if (plan.grownFromBytes < plan.sizeBytes) {
      const grown = Float64Array.of(plan.grownFromBytes, plan.sizeBytes - plan.grownFromBytes);
      parts.push(fixedPager(this.#kernel, grown));
    }
    const data = kinds
      ? clipPager(await this.#source.allocatedRanges(undefined, signal), state.sizeBytes)
      : undefined;
    // Live, things may have happened between the plan and the reading; the plan must still be the right one.
    if (state.live) requireSameChains(state, await this.#state(signal));
    const pager = parts.length === 0 ? emptyPager : unionPager(this.#kernel, parts);
    return new ChangeMap({ ...plan, disk: this.disk }, pager, this.#kernel, options, data);
  }

  /**
   * What holds data, through every layer: the `*` of VMware, the NULL of Virtuozzo.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async allocated(options: ChangeMapSelection = {}): Promise<ChangeMap> {
    return this.#asked('allocated', options, selectionChecks, ({ signal }) =>
      this.#allocated(options, signal),
    );
  }

  /**
   * The disk's bytes, read-only; needs the libnbd addon. Of an image that no VM uses, and which stays unused while they are open; of a
   * session's disk those of its instant, as `Session.openData` gives them. A disk that a VM writes to has none that stand still:
   * `ERR_CBT_UNSUPPORTED`, begin a session.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  async openData(options?: OpenDataOptions): Promise<DiskData> {
    return this.#coded(() =>
      openBounded(options, async (own) => {
        this.#requireOpen();
        const open = this.#opensData;
        if (open !== null) return open(own ?? {});
        const message =
          'a VM writes to this disk: its bytes stand still in a session only (Session.openData)';
        throw new CbtError('ERR_CBT_UNSUPPORTED', message);
      }),
    );
  }

  /** @internal How its bytes are opened, for whoever opened the disk. */
  openDataBy(open: (options: OpenDataOptions) => Promise<DiskData>): this {
    this.#opensData = open;
    return this;
  }

  /**
   * Lets go of files and connections; later questions are `ERR_CBT_CLOSED`. Cancelled or late, only the waiting ends, and the closing goes on.
   * @param options Signal and deadline.
   * @throws `CbtError` where closing failed.
   */
  async close(options?: CallOptions): Promise<void> {
    await closing('close', options, () => this.#end());
  }

  /** @internal What it is of broke: later questions say so. */
  async loseWith(why: CbtError): Promise<void> {
    await this.#end(why);
  }

  #end(why?: CbtError): Promise<void> {
    // One that was lost may be closed all the same.
    if (why === undefined || this.#closed === false) this.#closed = why ?? true;
    this.#closing ??= this.#letGo(why);
    return this.#closing;
  }

  async #letGo(why: CbtError | undefined): Promise<void> {
    try {
      await this.#source.close(why);
    } finally {
      for (const resource of this.#closedWith) await resource.close();
    }
  }

  /**
   * Closes this as well when the disk is closed; for whoever opened the disk through something of its own.
   * @param resource Is closed after the disk.
   * @returns The disk.
   */
  closeWith(resource: { close(): Promise<void> }): this {
    this.#closedWith.push(resource);
    return this;
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    if (this.#closed instanceof CbtError) throw this.#closed.about(this.disk);
    if (this.#closed) throw new CbtError('ERR_CBT_CLOSED', `disk ${this.disk} is closed`);
  }

  async #allocated(options: ChangeMapSelection, signal: AbortSignal | undefined): Promise<ChangeMap> {
    const state = await this.#state(signal);
    const pager = clipPager(await this.#source.allocatedRanges(undefined, signal), state.sizeBytes);
    const facts = {
      disk: this.disk,
      sizeBytes: state.sizeBytes,
      granularityBytes: 512,
      from: '*',
      to: this.#instant,
      warnings: [],
    };
    return new ChangeMap(facts, pager, this.#kernel, options, pager);
  }

  async #state(signal: AbortSignal | undefined): Promise<DiskState> {
    throwIfAborted(signal);
    this.#requireOpen();
    const state = await this.#source.state(signal);
    checkSizes(state);
    return state;
  }

  /** Null for a bitmap that cannot be read, its reason among the problems: `pits` lists what there is. */
  async #changedBytes(
    bitmapRanges: BitmapReader,
    state: DiskState,
    parts: readonly SegmentPart[],
    problems: Problem[],
    signal: AbortSignal | undefined,
  ): Promise<number | null> {
    const layers = parts.map(({ layer }) => layerOf(state, layer));
    const [{ sizeBytes } = state] = layers;
    if (layers.some(({ problem }) => problem !== undefined)) return null;
    if (parts.some(({ info }) => info.problem !== undefined || info.inconsistent)) return null;
    const known = parts.length === 1 ? parts[0]?.info.dirtyBytes : undefined;
    if (known !== undefined) return Math.min(known, sizeBytes);
    const bitmaps = parts.map(({ layer, info }) => ({ layer, name: info.name }));
    const granularityBytes = Math.max(...parts.map(({ info }) => info.granularityBytes));
    const facts = { disk: this.disk, from: bitmaps[0]?.name ?? '', to: null, warnings: [], granularityBytes };
    try {
      const pager = await bitmapRanges(bitmaps, granularityBytes, signal);
      const map = new ChangeMap({ ...facts, sizeBytes }, pager, this.#kernel, { signal });
      return await map.changedBytes();
    } catch (error) {
      if (!(error instanceof CbtError) || error.reason === undefined) throw error;
      problems.push({ reason: error.reason, message: error.message });
      return null;
    }
  }

  /** A question with its caller's own time. What comes of it keeps his signal, and not the deadline's. */
  #asked<Options extends CallOptions, T>(
    what: string,
    options: Options | undefined,
    checks: Checks<Options>,
    work: (options: Partial<Options>) => Promise<T>,
  ): Promise<T> {
    return this.#coded(async () => {
      checkOptions(what, options, checks);
      return within(what, options, (own) => work(own ?? {}));
    });
  }

  async #coded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof CbtError ? error.about(this.disk) : error;
    }
  }
}
