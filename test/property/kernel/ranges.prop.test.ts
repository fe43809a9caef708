/** Laws of the range algebra, against a disk with an array element per byte. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RangePage, Ranges, Window } from '../../../lib/core/rangePage.js';
import { rangesOf, windowOf } from '../../helpers/bitmapArbitraries.js';
import { kernels } from '../../helpers/kernels.js';
import { allPages, pageOf, Shadow } from '../../helpers/shadow.js';

const SIZE = 8192;
const GRANULARITIES = [512, 1024, 4096, 65536];
const ALL = { startBytes: 0, endBytes: SIZE, maxRanges: Number.POSITIVE_INFINITY };
/** Where the same ranges still have exact offsets, on the grid of every granularity used. */
const FAR = 2 ** 53 - 2 ** 20;

/** Few bytes and many ranges, or borders next to granules. */
const ranges = fc.oneof(rangesOf(60, [1], 12), rangesOf(SIZE, [512, 1024], 8), rangesOf(SIZE, [1], 6));
const window = fc.oneof(windowOf(60), windowOf(SIZE));

const operations = [
  { name: 'union', belongs: (inA: boolean, inB: boolean) => inA || inB },
  { name: 'intersect', belongs: (inA: boolean, inB: boolean) => inA && inB },
  { name: 'subtract', belongs: (inA: boolean, inB: boolean) => inA && !inB },
] as const;

const shiftRanges = (list: Ranges, by: number): Ranges =>
  list.map((value, i) => (i % 2 === 0 ? value + by : value));
const shiftWindow = (w: Window, by: number): Window => ({
  ...w,
  startBytes: w.startBytes + by,
  endBytes: w.endBytes + by,
});
const shiftPage = (page: RangePage, by: number): RangePage => ({
  ranges: shiftRanges(page.ranges, by),
  startBytes: page.startBytes + by,
  nextBytes: page.nextBytes + by,
});

/** The page asked for, all pages put together, and both far out, are what the shadow says. */
async function holds(
  shadow: Shadow,
  w: Window,
  near: (w: Window) => Promise<RangePage>,
  far: (w: Window) => Promise<RangePage>,
) {
  const page = shadow.page(w);
  expect(await near(w)).toEqual(page);
  expect((await allPages(near, w)).page).toEqual(shadow.page({ ...w, maxRanges: ALL.maxRanges }));
  expect(await far(shiftWindow(w, FAR))).toEqual(shiftPage(page, FAR));
}

describe.each(kernels)('$label: range algebra', ({ kernel }) => {
  it.each(operations)('$name is byte by byte', async ({ name, belongs }) => {
    await fc.assert(
      fc.asyncProperty(ranges, ranges, window, async (a, b, w) => {
        const shadow = Shadow.of(SIZE, a).with(Shadow.of(SIZE, b), belongs);
        const [farA, farB] = [shiftRanges(a, FAR), shiftRanges(b, FAR)];
        await holds(
          shadow,
          w,
          (x) => kernel[name](a, b, x),
          (x) => kernel[name](farA, farB, x),
        );
      }),
    );
  });

  it('clip is byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, window, async (a, w) => {
        const far = shiftRanges(a, FAR);
        await holds(
          Shadow.of(SIZE, a),
          w,
          (x) => kernel.clip(a, x),
          (x) => kernel.clip(far, x),
        );
      }),
    );
  });

  it('align is every granule that holds a byte', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, fc.constantFrom(...GRANULARITIES), window, async (a, granularityBytes, w) => {
        const shadow = Shadow.of(65536, a).widened(granularityBytes);
        const far = shiftRanges(a, FAR);
        await holds(
          shadow,
          w,
          (x) => kernel.align(a, granularityBytes, x),
          (x) => kernel.align(far, granularityBytes, x),
        );
        // What is aligned stays as it is.
        const once = await kernel.align(a, granularityBytes, { ...ALL, endBytes: 65536 });
        expect(await kernel.align(once.ranges, granularityBytes, { ...ALL, endBytes: 65536 })).toEqual(once);
      }),
    );
  });

  it('split keeps every byte and cuts as early as it must', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, fc.integer({ min: 1, max: 600 }), window, async (a, maxBytes, w) => {
        const pairs: number[] = [];
        const clipped = Shadow.of(SIZE, a).page({ ...w, maxRanges: ALL.maxRanges }).ranges;
        for (let i = 0; i < clipped.length; i += 2) {
          const end = clipped[i]! + clipped[i + 1]!;
          for (let at = clipped[i]!; at < end; at += maxBytes) pairs.push(at, Math.min(maxBytes, end - at));
        }
        const nextBytes = pairs[w.maxRanges * 2] ?? w.endBytes;
        const page = pageOf(pairs.slice(0, Math.min(pairs.length, w.maxRanges * 2)), w.startBytes, nextBytes);
        expect(await kernel.split(a, maxBytes, w)).toEqual(page);
        expect((await allPages((x) => kernel.split(a, maxBytes, x), w)).page).toEqual(
          pageOf(pairs, w.startBytes, w.endBytes),
        );
        const far = await kernel.split(shiftRanges(a, FAR), maxBytes, shiftWindow(w, FAR));
        expect(far).toEqual(shiftPage(page, FAR));
      }),
    );
  });

  it('what is in both and what is only in one make the one again', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, ranges, async (a, b) => {
        const both = await kernel.intersect(a, b, ALL);
        const only = await kernel.subtract(a, b, ALL);
        expect((await kernel.union(both.ranges, only.ranges, ALL)).ranges).toEqual(a);
        expect((await kernel.intersect(both.ranges, only.ranges, ALL)).ranges).toHaveLength(0);
        expect(await kernel.union(a, b, ALL)).toEqual(await kernel.union(b, a, ALL));
      }),
    );
  });
});
