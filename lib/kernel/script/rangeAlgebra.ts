/**
 * The algebra of range lists: one sweep over the borders of two lists, asking at each border whether what follows belongs.
 *
 *   a         |‾‾‾‾‾‾|________|‾‾‾‾‾|
 *   b         ___|‾‾‾‾‾‾‾|____________
 *   union     |‾‾‾‾‾‾‾‾‾‾|____|‾‾‾‾‾|      a || b
 *   subtract  |‾‾|____________|‾‾‾‾‾|      a && !b
 *
 * O(ranges) for the check of the input and the sweep, which starts by binary search at the window.
 */
import { invalidArgument } from '../../core/errors.js';
import {
  checkGranularity,
  checkWindow,
  MAX_DISK_BYTES,
  type RangePage,
  type Ranges,
  type Window,
} from '../../core/rangePage.js';
import { PageBuilder } from './levels.js';
import { Pace } from './pace.js';
import { takeRanges } from './snapshots.js';

const NONE = new Float64Array(0);

type Belongs = (inA: boolean, inB: boolean) => boolean;

export function union(a: Ranges, b: Ranges, window: Window): Promise<RangePage> {
  return sweep(a, b, window, (inA, inB) => inA || inB);
}

export function intersect(a: Ranges, b: Ranges, window: Window): Promise<RangePage> {
  return sweep(a, b, window, (inA, inB) => inA && inB);
}

export function subtract(a: Ranges, b: Ranges, window: Window): Promise<RangePage> {
  return sweep(a, b, window, (inA, inB) => inA && !inB);
}

export function clip(ranges: Ranges, window: Window): Promise<RangePage> {
  return sweep(ranges, NONE, window, (inA) => inA, 'ranges');
}

async function sweep(
  a: Ranges,
  b: Ranges,
  window: Window,
  belongs: Belongs,
  nameOfA = 'a',
): Promise<RangePage> {
  checkWindow(window);
  const left = new Borders(takeRanges(nameOfA, a), window.startBytes);
  const right = new Borders(takeRanges('b', b), window.startBytes);
  const pace = new Pace(window.signal);
  const page = new PageBuilder(window);
  let at = window.startBytes;
  while (at < window.endBytes && page.level(at, belongs(left.inside, right.inside))) {
    at = Math.min(left.at, right.at);
    if (left.at === at) left.pass();
    if (right.at === at) right.pass();
    if (pace.spent(1)) await pace.rest();
  }
  return page.finish();
}

export async function align(ranges: Ranges, granularityBytes: number, window: Window): Promise<RangePage> {
  checkWindow(window);
  checkGranularity('granularityBytes', granularityBytes);
  const taken = takeRanges('ranges', ranges);
  const pace = new Pace(window.signal);
  const page = new PageBuilder(window);
  let openUntil = -1;
  for (let i = 0; i < taken.length; i += 2) {
    const offset = taken[i] ?? 0;
    const from = Math.floor(offset / granularityBytes) * granularityBytes;
    const until = Math.ceil((offset + (taken[i + 1] ?? 0)) / granularityBytes) * granularityBytes;
    if (from > openUntil) {
      if (openUntil >= 0) page.level(openUntil, false);
      if (!page.level(from, true)) return page.finish();
    }
    openUntil = Math.max(openUntil, until);
    if (pace.spent(1)) await pace.rest();
  }
  if (openUntil >= 0) page.level(openUntil, false);
  return page.finish();
}

export async function split(ranges: Ranges, maxBytes: number, window: Window): Promise<RangePage> {
  checkWindow(window);
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw invalidArgument('maxBytes', maxBytes, `an integer from 1 to ${MAX_DISK_BYTES}`);
  }
  const taken = takeRanges('ranges', ranges);
  const pace = new Pace(window.signal);
  const page = new PageBuilder(window);
  for (let i = 0; i < taken.length; i += 2) {
    const offset = taken[i] ?? 0;
    const until = Math.min(offset + (taken[i + 1] ?? 0), window.endBytes);
    if (offset >= window.endBytes) break;
    for (let from = Math.max(offset, window.startBytes); from < until; ) {
      const end = from + Math.min(maxBytes, until - from);
      if (!page.level(from, true)) return page.finish();
      page.level(end, false);
      from = end;
      if (pace.spent(1)) await pace.rest();
    }
    if (pace.spent(1)) await pace.rest();
  }
  return page.finish();
}

/** The starts and ends of a list in order, from the first one past a byte on. */
class Borders {
  readonly #ranges: Ranges;
  /** Borders passed so far; after a start, before its end, it is odd. */
  #passed: number;
  /** The next border; Infinity after the last. */
  at = 0;

  constructor(ranges: Ranges, startBytes: number) {
    this.#ranges = ranges;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#border(middle) <= startBytes) low = middle + 1;
      else high = middle;
    }
    this.#passed = low;
    this.at = this.#border(low);
  }

  /** Whether the bytes before the next border are in the list. */
  get inside(): boolean {
    return this.#passed % 2 === 1;
  }

  pass(): void {
    this.#passed += 1;
    this.at = this.#border(this.#passed);
  }

  #border(index: number): number {
    if (index >= this.#ranges.length) return Number.POSITIVE_INFINITY;
    const value = this.#ranges[index] ?? 0;
    return index % 2 === 0 ? value : (this.#ranges[index - 1] ?? 0) + value;
  }
}
