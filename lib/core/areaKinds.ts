/**
 * Which of the changed areas hold data and which read as zeros (discarded, zeroed, or never written since the disk grew).
 * What holds data is asked only around the areas: over a large disk it costs a backend far more than the changes do.
 *
 *   changed   [=========]   [====] . . far away . .  [===]
 *   asked     |----------------------|               |---|
 *   data          [====]    [====]     [===]
 *   kinds     [zer][data][z][data]                   [zer]
 */
import type { BitmapKernel } from './bitmapKernel.js';
import { throwIfAborted } from './errors.js';
import { checkProgress, type RangePage, type RangePager, type Ranges } from './rangePage.js';

/** Areas in order, cut where their kind changes; neighbours may touch, but not when they are of one kind. */
export interface AreaKinds {
  /** Offsets and lengths in bytes, ascending. */
  ranges: Ranges;
  /** For each range: 1 when it reads as zeros, 0 when it holds data. */
  zero: Uint8Array;
}

/** Areas no further apart are asked about together. */
const NEAR_BYTES = 16 * 2 ** 20;

/** Most ranges of data in memory at a time. */
const PAGE_RANGES = 65_536;

/** Splits ranges that lie in order by where there is data. Yields at least once for each page of data. */
export async function* splitByKind(
  kernel: BitmapKernel,
  ranges: Ranges,
  data: RangePager,
  signal?: AbortSignal,
): AsyncGenerator<AreaKinds, void, undefined> {
  let held: HeldArea | null = null;
  for (const [first, behind] of spansOf(ranges)) {
    const span = ranges.subarray(first, behind);
    const endBytes = (span.at(-2) ?? 0) + (span.at(-1) ?? 0);
    for (let at = span[0] ?? 0; at < endBytes; ) {
      throwIfAborted(signal);
      const window = { startBytes: at, endBytes, maxRanges: PAGE_RANGES, signal };
      const page: RangePage = await data.page(window);
      checkProgress(window, page, 'the map of data');
      const told = { ...window, endBytes: page.nextBytes, maxRanges: Number.POSITIVE_INFINITY };
      const [holding, zeros] = await Promise.all([
        kernel.intersect(span, page.ranges, told),
        kernel.subtract(span, page.ranges, told),
      ]);
      const areas = new AreaList(held, holding.ranges.length / 2 + zeros.ranges.length / 2);
      areas.addInOrder(holding.ranges, zeros.ranges);
      // The last one may go on behind the page.
      held = areas.holdLast();
      const ready = areas.take();
      if (ready.zero.length > 0) yield ready;
      at = page.nextBytes;
    }
  }
  if (held !== null) {
    yield { ranges: Float64Array.of(held.offset, held.length), zero: Uint8Array.of(held.zero) };
  }
}

interface HeldArea {
  offset: number;
  length: number;
  zero: 0 | 1;
}

/** Areas put behind one another, joined where they touch and are of one kind. */
class AreaList {
  readonly #ranges: Float64Array;
  readonly #zero: Uint8Array;
  #count = 0;

  constructor(first: HeldArea | null, most: number) {
    this.#ranges = new Float64Array(2 * (most + 1));
    this.#zero = new Uint8Array(most + 1);
    if (first !== null) this.#add(first.offset, first.length, first.zero);
  }

  /** Merges two lists that are disjoint, each in order. */
  addInOrder(holding: Ranges, zeros: Ranges): void {
    let h = 0;
    let z = 0;
    while (h < holding.length || z < zeros.length) {
      const dataAt = holding[h] ?? Number.POSITIVE_INFINITY;
      const zeroAt = zeros[z] ?? Number.POSITIVE_INFINITY;
      if (dataAt < zeroAt) {
        this.#add(dataAt, holding[h + 1] ?? 0, 0);
        h += 2;
      } else {
        this.#add(zeroAt, zeros[z + 1] ?? 0, 1);
        z += 2;
      }
    }
  }

  holdLast(): HeldArea | null {
    if (this.#count === 0) return null;
    this.#count -= 1;
    const at = this.#count;
    const zero = this.#zero[at] === 1 ? 1 : 0;
    return { offset: this.#ranges[2 * at] ?? 0, length: this.#ranges[2 * at + 1] ?? 0, zero };
  }

  take(): AreaKinds {
    return {
      ranges: this.#ranges.subarray(0, 2 * this.#count),
      zero: this.#zero.subarray(0, this.#count),
    };
  }

  #add(offset: number, length: number, zero: 0 | 1): void {
    const last = this.#count - 1;
    const lastEnd = last < 0 ? -1 : (this.#ranges[2 * last] ?? 0) + (this.#ranges[2 * last + 1] ?? 0);
    if (lastEnd === offset && this.#zero[last] === zero) {
      this.#ranges[2 * last + 1] = offset + length - (this.#ranges[2 * last] ?? 0);
      return;
    }
    this.#ranges.set([offset, length], 2 * this.#count);
    this.#zero[this.#count] = zero;
    this.#count += 1;
  }
}

/** Where to ask: index of the first number and behind the last one, of ranges that lie near each other. */
function* spansOf(ranges: Ranges): Generator<[number, number], void, undefined> {
  let first = 0;
  for (let i = 2; i < ranges.length; i += 2) {
    const gap = (ranges[i] ?? 0) - ((ranges[i - 2] ?? 0) + (ranges[i - 1] ?? 0));
    if (gap <= NEAR_BYTES) continue;
    yield [first, i];
    first = i;
  }
  if (ranges.length > 0) yield [first, ranges.length];
}
