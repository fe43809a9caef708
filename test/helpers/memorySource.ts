/**
 * A disk source in memory: a state as given, bitmaps and allocation as byte ranges. It keeps the promises of the port
 * (held to them in contract/diskSource.test.ts) and notes what it was asked.
 */
import type { BitmapKernel } from '../../lib/core/bitmapKernel.js';
import type { BitmapRef, DiskSource, DiskState } from '../../lib/core/diskSource.js';
import { CbtError, invalidArgument, throwIfAborted } from '../../lib/core/errors.js';
import {
  checkGranularity,
  checkWindow,
  type RangePager,
  type Ranges,
  type Window,
} from '../../lib/core/rangePage.js';
import { UntilClosed } from '../../lib/core/untilClosed.js';
import { tinyKernel } from './tinyKernel.js';

const ALL = Number.POSITIVE_INFINITY;

/** Pairs of offset and length as ranges. */
export function rangesOf(...pairs: readonly (readonly [number, number])[]): Ranges {
  return Float64Array.from(pairs.flat());
}

/** Ranges as pairs, for messages of a failed test. */
export function pairsOf(ranges: Ranges): [number, number][] {
  return Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i]!, ranges[2 * i + 1]!]);
}

export interface MemoryContent {
  /** Dirty bytes by layer and bitmap name; a bitmap without an entry is clean. */
  dirty?: readonly ReadonlyMap<string, Ranges>[];
  /** Bytes that each layer holds itself, top first. */
  allocated?: readonly Ranges[];
}

export class MemorySource implements DiskSource {
  readonly disk: string;
  closed = 0;
  /** Every bitmap that was read, in order. */
  readonly asked: { bitmaps: readonly BitmapRef[]; granularityBytes: number }[] = [];
  /** How many layers each allocation question was about; undefined: all. */
  readonly askedLayers: (number | undefined)[] = [];
  /** Largest end of a window by kind of question; a backend cannot answer past the end of its layer. */
  furthest = 0;
  readonly #state: DiskState | (() => DiskState);
  readonly #content: MemoryContent;
  readonly #kernel: BitmapKernel;
  readonly #uses = new UntilClosed();

  constructor(state: DiskState | (() => DiskState), content: MemoryContent = {}, kernel = tinyKernel) {
    this.#state = state;
    this.#content = content;
    this.#kernel = kernel;
    this.disk = this.#now().disk;
  }

  async state(signal?: AbortSignal): Promise<DiskState> {
    return this.#use(signal, async () => this.#now());
  }

  async bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager> {
    return this.#use(signal, () => this.#bitmapRanges(bitmaps, granularityBytes));
  }

  async allocatedRanges(layers?: number, signal?: AbortSignal): Promise<RangePager> {
    return this.#use(signal, () => this.#allocatedRanges(layers));
  }

  async close(): Promise<void> {
    this.closed += 1;
    this.#uses.stop();
    await this.#uses.ended();
  }

  async #bitmapRanges(bitmaps: readonly BitmapRef[], granularityBytes: number): Promise<RangePager> {
    this.asked.push({ bitmaps, granularityBytes });
    checkGranularity('granularityBytes', granularityBytes);
    if (bitmaps.length === 0) return this.#pager(rangesOf(), ALL);
    let grain = granularityBytes;
    let endBytes = 0;
    const parts = bitmaps.map((ref) => {
      const layer = this.#now().layers[ref.layer];
      const info = layer?.bitmaps.find((bitmap) => bitmap.name === ref.name);
      if (layer === undefined) throw invalidArgument('layer', ref.layer, 'a layer of the disk');
      if (info === undefined) {
        const what = `no bitmap ${ref.name} on layer ${ref.layer}`;
        throw new CbtError('ERR_CBT_UNKNOWN_PIT', what, { reason: 'UNKNOWN_PIT' });
      }
      if (info.busy)
        throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${ref.name} is busy`, { reason: 'BUSY' });
      grain = Math.max(grain, info.granularityBytes);
      endBytes = Math.max(endBytes, layer.sizeBytes);
      return this.#content.dirty?.[ref.layer]?.get(ref.name) ?? rangesOf();
    });
    let all = rangesOf();
    for (const part of parts) {
      all = (await this.#kernel.union(all, part, { startBytes: 0, endBytes, maxRanges: ALL })).ranges;
    }
    const { ranges } = await this.#kernel.align(all, grain, { startBytes: 0, endBytes, maxRanges: ALL });
    return this.#pager(ranges, endBytes);
  }

  async #allocatedRanges(layers: number | undefined): Promise<RangePager> {
    this.askedLayers.push(layers);
    const { sizeBytes: endBytes, layers: known } = this.#now();
    if (layers !== undefined && !(Number.isSafeInteger(layers) && layers >= 0 && layers <= known.length))
      throw invalidArgument('layers', layers, `an integer from 0 to ${known.length}`);
    let all = rangesOf();
    for (const part of (this.#content.allocated ?? []).slice(0, layers)) {
      all = (await this.#kernel.union(all, part, { startBytes: 0, endBytes, maxRanges: ALL })).ranges;
    }
    return this.#pager(all, endBytes);
  }

  async #use<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.#uses.run(this.disk, async () => {
      throwIfAborted(signal);
      return work();
    });
  }

  #now(): DiskState {
    return typeof this.#state === 'function' ? this.#state() : this.#state;
  }

  /** As an export of `sizeBytes` would: refuses a question past its end. */
  #pager(ranges: Ranges, sizeBytes: number): RangePager {
    return {
      page: (window: Window) =>
        this.#use(window.signal, async () => {
          checkWindow(window);
          this.furthest = Math.max(this.furthest, window.endBytes);
          if (window.endBytes > sizeBytes) {
            throw new CbtError('ERR_CBT_INTERNAL', `asked up to ${window.endBytes} of ${sizeBytes} bytes`);
          }
          return this.#kernel.clip(ranges, window);
        }),
    };
  }
}
