/**
 * A disk of image files as a DiskSource. Every question reads the stack afresh; an answer stands on one reading, is watched
 * to its last page, and is refused when the disk is no longer the one whose state was told.
 */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import type { BitmapReader, BitmapRef, DiskSource, DiskState } from '../../core/diskSource.js';
import { CbtError, invalidArgument, throwIfAborted } from '../../core/errors.js';
import { clipPager, emptyPager, subtractPager, unionPager } from '../../core/pagers.js';
import { checkGranularity, type RangePager } from '../../core/rangePage.js';
import type { ImageLayer } from './layer.js';
import type { DiskPlace } from './place.js';
import { readStack } from './readStack.js';
import type { ImageStack, StackReader } from './stack.js';
import type { WriterGuard } from './writerGuard.js';

export class StackSource implements DiskSource {
  readonly #place: DiskPlace;
  readonly #reader: Omit<StackReader, 'signal'>;
  readonly #kernel: BitmapKernel;
  /** What the files were when the state was last told. */
  #told: string | undefined;

  /** `disk`: as the caller named it. The reader's files are closed with the source. */
  constructor(
    readonly disk: string,
    place: DiskPlace,
    reader: Omit<StackReader, 'signal'>,
  ) {
    this.#place = place;
    this.#reader = reader;
    this.#kernel = reader.kernel;
  }

  async state(signal?: AbortSignal): Promise<DiskState> {
    return this.#use(async () => {
      const { layers, guard } = await this.#read(signal);
      await guard.check();
      this.#told = guard.fingerprint();
      const states = layers.map((layer) => layer.state);
      return { disk: this.disk, sizeBytes: layers[0].state.sizeBytes, live: false, layers: states };
    });
  }

  async bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager> {
    return this.#use(async () => {
      checkGranularity('granularityBytes', granularityBytes);
      const stack = await this.#readAsTold(signal);
      return this.#guarded(await this.#bitmapsOf(stack, bitmaps, granularityBytes, signal), stack.guard);
    });
  }

  async onOneReading<T>(work: (bitmapRanges: BitmapReader) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#use(async () => {
      const stack = await this.#readAsTold(signal);
      const read: BitmapReader = async (bitmaps, granularityBytes, abort) => {
        checkGranularity('granularityBytes', granularityBytes);
        return this.#bitmapsOf(stack, bitmaps, granularityBytes, abort);
      };
      // Also when the work failed: a file that changes below the reader looks damaged.
      return await work(read).finally(() => stack.guard.checkContents());
    });
  }

  async allocatedRanges(layers?: number, signal?: AbortSignal): Promise<RangePager> {
    return this.#use(async () => {
      const stack = await this.#readAsTold(signal);
      const pager =
        layers === undefined
          ? await this.#dataPager(stack, signal)
          : await this.#overlayPager(stack, layers, signal);
      await stack.guard.check();
      return this.#guarded(pager, stack.guard);
    });
  }

  async close(): Promise<void> {
    await this.#reader.files.close();
  }

  async #bitmapsOf(
    stack: ImageStack,
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<RangePager> {
    const parts: RangePager[] = [];
    for (const [layer, names] of namesByLayer(bitmaps, stack.layers)) {
      const pager = await layer.bitmaps(names, granularityBytes, signal);
      parts.push(boundedPager(pager, layer.state.sizeBytes));
    }
    await stack.guard.check();
    return unionPager(this.#kernel, parts);
  }

  /**
   * What holds data as seen from the top. From the bottom up, each layer adds its own and hides what it has allocated:
   *
   *   seen through n = data n  ∪  (seen through n+1, cut at the size of layer n+1,  minus  allocated n)
   */
  async #dataPager(stack: ImageStack, signal?: AbortSignal): Promise<RangePager> {
    let below: RangePager = emptyPager;
    for (const layer of [...stack.layers].reverse()) {
      throwIfAborted(signal);
      const { data, allocated } = await layer.allocation(signal);
      const seen =
        below === emptyPager
          ? data
          : unionPager(this.#kernel, [data, subtractPager(this.#kernel, below, allocated)]);
      below = clipPager(seen, layer.state.sizeBytes);
    }
    return below;
  }

  /** What the upper layers have allocated themselves, as far as the disk reaches. */
  async #overlayPager(stack: ImageStack, layers: number, signal?: AbortSignal): Promise<RangePager> {
    if (!Number.isSafeInteger(layers) || layers < 0 || layers > stack.layers.length) {
      throw invalidArgument('layers', layers, `an integer from 0 to ${stack.layers.length}`);
    }
    const parts: RangePager[] = [];
    for (const layer of stack.layers.slice(0, layers)) {
      throwIfAborted(signal);
      const { allocated } = await layer.allocation(signal);
      parts.push(clipPager(allocated, layer.state.sizeBytes));
    }
    return clipPager(unionPager(this.#kernel, parts), stack.layers[0].state.sizeBytes);
  }

  async #readAsTold(signal: AbortSignal | undefined): Promise<ImageStack> {
    const stack = await this.#read(signal);
    if (this.#told !== undefined && this.#told !== stack.guard.fingerprint()) {
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `${this.disk} was written to since its state was read: ask again`,
        { reason: 'BUSY' },
      );
    }
    return stack;
  }

  #read(signal: AbortSignal | undefined): Promise<ImageStack> {
    throwIfAborted(signal);
    return readStack({ ...this.#reader, signal }, this.#place);
  }

  #guarded(inner: RangePager, guard: WriterGuard): RangePager {
    const watch = <T>(work: () => Promise<T>, isEnd: (answer: T) => boolean): Promise<T> =>
      this.#use(async () => {
        let answer: T;
        try {
          answer = await work();
        } catch (error) {
          // A file that changes below the reader looks damaged: the change is the truer reason.
          await guard.check();
          throw error;
        }
        await (isEnd(answer) ? guard.checkContents() : guard.check());
        return answer;
      });
    const count = inner.count?.bind(inner);
    return {
      page: (window) =>
        watch(
          () => inner.page(window),
          (page) => page.nextBytes >= window.endBytes,
        ),
      ...(count === undefined
        ? {}
        : {
            count: (window) =>
              watch(
                () => count(window),
                () => true,
              ),
          }),
    };
  }

  async #use<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#reader.files.using(this.disk, work);
    } catch (error) {
      throw error instanceof CbtError ? error.about(this.disk) : error;
    }
  }
}

function namesByLayer(
  bitmaps: readonly BitmapRef[],
  layers: readonly ImageLayer[],
): Map<ImageLayer, string[]> {
  const names = new Map<ImageLayer, string[]>();
  for (const { layer: index, name } of bitmaps) {
    const layer = layers[index];
    if (layer === undefined) throw invalidArgument('layer', index, `a layer from 0 to ${layers.length - 1}`);
    const known = names.get(layer);
    if (known === undefined) names.set(layer, [name]);
    else known.push(name);
  }
  return names;
}

/** As `clipPager`, and keeps the way to count. */
function boundedPager(inner: RangePager, sizeBytes: number): RangePager {
  const count = inner.count?.bind(inner);
  return {
    ...clipPager(inner, sizeBytes),
    ...(count === undefined
      ? {}
      : {
          count: async (window) =>
            window.startBytes >= sizeBytes
              ? 0
              : count({ ...window, endBytes: Math.min(window.endBytes, sizeBytes) }),
        }),
  };
}
