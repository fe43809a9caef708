/** A disk in memory as a place to ask, as it is now or at an instant: the port `DiskSource`. */
import type { BitmapKernel } from '../core/bitmapKernel.js';
import type { BitmapRef, DiskSource, DiskState } from '../core/diskSource.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { clipPager } from '../core/pagers.js';
import {
  checkGranularity,
  checkWindow,
  type RangePager,
  type Ranges,
  type Window,
} from '../core/rangePage.js';
import { UntilClosed } from '../core/untilClosed.js';
import type { Content, MemoryDisk } from './memoryDisk.js';

const ALL = Number.POSITIVE_INFINITY;

export interface MemorySourceOptions {
  kernel: BitmapKernel;
  live: boolean;
  /** The content of a session's instant, and its size then; the disk as it is now without. */
  instant?: { content: Content; sizeBytes: number } | undefined;
  /** Asked before every question; throws where it must not be answered. */
  before?: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

export class MemoryDiskSource implements DiskSource {
  readonly disk: string;
  readonly #of: MemoryDisk;
  readonly #options: MemorySourceOptions;
  readonly #uses = new UntilClosed();

  constructor(disk: MemoryDisk, options: MemorySourceOptions) {
    this.disk = disk.name;
    this.#of = disk;
    this.#options = options;
  }

  state(signal?: AbortSignal): Promise<DiskState> {
    return this.#use(signal, async () => this.#of.state(this.#options.live));
  }

  bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager> {
    return this.#use(signal, () => this.#bitmapRanges(bitmaps, granularityBytes));
  }

  allocatedRanges(layers?: number, signal?: AbortSignal): Promise<RangePager> {
    return this.#use(signal, () => this.#allocatedRanges(layers));
  }

  /** `why`: it was lost. */
  async close(why?: CbtError): Promise<void> {
    this.#uses.stop(why);
    await this.#uses.ended();
  }

  async #bitmapRanges(bitmaps: readonly BitmapRef[], granularityBytes: number): Promise<RangePager> {
    checkGranularity('granularityBytes', granularityBytes);
    const { layers } = this.#of.state(this.#options.live);
    const parts: Ranges[] = [];
    let grain = granularityBytes;
    let endBytes = 0;
    for (const { layer: at, name } of bitmaps) {
      const layer = layers[at];
      if (layer === undefined) throw invalidArgument('layer', at, 'a layer of the disk');
      const info = layer.bitmaps.find((bitmap) => bitmap.name === name);
      const dirty = at === 0 ? this.#of.dirty(name) : null;
      if (info === undefined || dirty === null)
        throw new CbtError('ERR_CBT_UNKNOWN_PIT', `no bitmap ${name} on ${layer.label}`, {
          reason: 'UNKNOWN_PIT',
        });
      if (info.inconsistent)
        throw new CbtError('ERR_CBT_TRACKING_LOST', `bitmap ${name} is inconsistent`, { reason: 'CRASHED' });
      grain = Math.max(grain, info.granularityBytes);
      endBytes = Math.max(endBytes, layer.sizeBytes);
      parts.push(dirty);
    }
    const window = { startBytes: 0, endBytes, maxRanges: ALL };
    const { kernel } = this.#options;
    let all: Ranges = new Float64Array(0);
    for (const part of parts) all = (await kernel.union(all, part, window)).ranges;
    return this.#pager((await kernel.align(all, grain, window)).ranges, endBytes);
  }

  async #allocatedRanges(layers: number | undefined): Promise<RangePager> {
    const { kernel, instant } = this.#options;
    const { layers: known } = this.#of.state(this.#options.live);
    if (layers !== undefined && !(Number.isSafeInteger(layers) && layers >= 0 && layers <= known.length))
      throw invalidArgument('layers', layers, `an integer from 0 to ${known.length}`);
    const sizeBytes = instant?.sizeBytes ?? this.#of.sizeBytes;
    const window = { startBytes: 0, endBytes: sizeBytes, maxRanges: ALL };
    let all: Ranges = new Float64Array(0);
    let at: MemoryDisk | null = this.#of;
    for (let left = layers ?? ALL; at !== null && left > 0; left -= 1) {
      const own = at === this.#of ? at.allocated(instant?.content, sizeBytes) : at.allocated();
      all = (await kernel.union(all, own, window)).ranges;
      at = at.backing;
    }
    return this.#pager(all, sizeBytes);
  }

  #pager(ranges: Ranges, sizeBytes: number): RangePager {
    const inner: RangePager = { page: (window) => this.#options.kernel.clip(ranges, window) };
    const clipped = clipPager(inner, sizeBytes);
    return {
      page: (window: Window) =>
        this.#use(window.signal, async () => {
          checkWindow(window);
          return clipped.page(window);
        }),
    };
  }

  #use<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.#uses.run(this.disk, async () => {
      throwIfAborted(signal);
      await this.#options.before?.(signal);
      const answer = await work();
      throwIfAborted(signal);
      return answer;
    });
  }
}
