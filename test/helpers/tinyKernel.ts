/**
 * The range part of the kernel port by the slowest rule that can be read at a glance: cut the window at every border of
 * every range, and ask of each piece whether it belongs. An oracle beside the real kernels, for tests of the core.
 */
import type { BitmapKernel } from '../../lib/core/bitmapKernel.js';
import {
  checkGranularity,
  checkRanges,
  checkWindow,
  type RangePage,
  type Ranges,
  type Window,
} from '../../lib/core/rangePage.js';

type Belongs = (inA: boolean, inB: boolean) => boolean;
type Flat = Omit<Window, 'maxRanges'>;

function inside(ranges: Ranges, at: number): boolean {
  for (let i = 0; i < ranges.length; i += 2)
    if (at >= ranges[i]! && at < ranges[i]! + ranges[i + 1]!) return true;
  return false;
}

/** Ranges of the window for which `belongs` holds; cut at the first range that does not fit. */
export function sweep(a: Ranges, b: Ranges, window: Window, belongs: Belongs): RangePage {
  checkWindow(window);
  checkRanges('a', a);
  checkRanges('b', b);
  const { startBytes, endBytes, maxRanges } = window;
  const borders = new Set([startBytes, endBytes]);
  for (const ranges of [a, b])
    for (let i = 0; i < ranges.length; i += 2)
      for (const border of [ranges[i]!, ranges[i]! + ranges[i + 1]!])
        if (border > startBytes && border < endBytes) borders.add(border);
  const cuts = [...borders].sort((x, y) => x - y);
  const found: number[] = [];
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    const [from, until] = [cuts[i]!, cuts[i + 1]!];
    if (!belongs(inside(a, from), inside(b, from))) continue;
    if (found.length > 0 && found.at(-2)! + found.at(-1)! === from) found[found.length - 1]! += until - from;
    else if (found.length / 2 === maxRanges)
      return { ranges: Float64Array.from(found), startBytes, nextBytes: from };
    else found.push(from, until - from);
  }
  return { ranges: Float64Array.from(found), startBytes, nextBytes: endBytes };
}

const NONE = new Float64Array(0);
const widen = (ranges: Ranges, granularityBytes: number, { startBytes, endBytes }: Flat): Ranges => {
  let all: Ranges = NONE;
  for (let i = 0; i < ranges.length; i += 2) {
    const from = Math.max(startBytes, Math.floor(ranges[i]! / granularityBytes) * granularityBytes);
    const until = Math.min(
      endBytes,
      Math.ceil((ranges[i]! + ranges[i + 1]!) / granularityBytes) * granularityBytes,
    );
    if (until <= from) continue;
    const window = { startBytes: 0, endBytes, maxRanges: Number.POSITIVE_INFINITY };
    all = sweep(all, Float64Array.of(from, until - from), window, (x, y) => x || y).ranges;
  }
  return all;
};

function absent(): never {
  throw new Error('the tiny kernel reads no bits');
}

export const tinyKernel: BitmapKernel = {
  name: 'script',
  path: 'script',
  scanBitmaps: absent,
  countBitmaps: absent,
  scanClusters: absent,
  scanFileData: absent,
  lockState: absent,
  split: absent,
  union: async (a, b, window) => sweep(a, b, window, (x, y) => x || y),
  intersect: async (a, b, window) => sweep(a, b, window, (x, y) => x && y),
  subtract: async (a, b, window) => sweep(a, b, window, (x, y) => x && !y),
  clip: async (ranges, window) => sweep(ranges, NONE, window, (x) => x),
  align: async (ranges, granularityBytes, window) => {
    checkGranularity('granularityBytes', granularityBytes);
    return sweep(widen(ranges, granularityBytes, window), NONE, window, (x) => x);
  },
  formatRanges: async (ranges, { before, between, after }) => {
    const pairs = Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i], ranges[2 * i + 1]]);
    return Buffer.from(pairs.map(([offset, length]) => before + offset + between + length + after).join(''));
  },
  paintRanges: async (ranges, granularityBytes, { startBytes, endBytes }) => {
    checkGranularity('granularityBytes', granularityBytes);
    if (startBytes % granularityBytes !== 0) throw new Error(`start ${startBytes} is off the grid`);
    const count = Math.ceil((endBytes - startBytes) / granularityBytes);
    const bits = new Uint8Array(Math.ceil(count / 8));
    const clipped = sweep(
      ranges,
      NONE,
      { startBytes, endBytes, maxRanges: Number.POSITIVE_INFINITY },
      (x) => x,
    ).ranges;
    for (let i = 0; i < clipped.length; i += 2) {
      const first = Math.floor((clipped[i]! - startBytes) / granularityBytes);
      const last = Math.floor((clipped[i]! + clipped[i + 1]! - 1 - startBytes) / granularityBytes);
      for (let bit = first; bit <= last; bit += 1) bits[bit >> 3]! |= 1 << (bit & 7);
    }
    return bits;
  },
};
