/** The exported algebra of ranges, on the script kernel and on each native one, against a disk with an array element per byte. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangeAlgebra } from '../../../lib/core/rangeAlgebra.js';
import type { Ranges } from '../../../lib/core/rangePage.js';
import { rangesOf } from '../../helpers/bitmapArbitraries.js';
import { kernels } from '../../helpers/kernels.js';
import { Shadow } from '../../helpers/shadow.js';

const SIZE = 8192;
const ALL = { startBytes: 0, endBytes: SIZE, maxRanges: Number.POSITIVE_INFINITY };
const GRANULARITIES = [512, 1024, 4096, 65536];
const ranges = fc.oneof(rangesOf(60, [1], 12), rangesOf(SIZE, [512, 1024], 8), rangesOf(SIZE, [1], 6));
const granularity = fc.constantFrom(...GRANULARITIES);
const anySize = fc.integer({ min: 0, max: SIZE });
const listOf = (shadow: Shadow): Ranges => shadow.page(ALL).ranges;

describe.each(kernels)('$label: the algebra of ranges', ({ kernel }) => {
  const algebra = rangeAlgebra(async () => kernel);

  it('union, intersect and subtract are byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, ranges, async (a, b) => {
        const [inA, inB] = [Shadow.of(SIZE, a), Shadow.of(SIZE, b)];
        expect(await algebra.union(a, b)).toEqual(listOf(inA.with(inB, (x, y) => x || y)));
        expect(await algebra.intersect(a, b)).toEqual(listOf(inA.with(inB, (x, y) => x && y)));
        expect(await algebra.subtract(a, b)).toEqual(listOf(inA.with(inB, (x, y) => x && !y)));
        expect(algebra.totalBytes(a)).toBe(inA.count(0, SIZE));
      }),
    );
  });

  it('clip is the bytes of its window', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, anySize, anySize, async (a, x, y) => {
        const [start, end] = [Math.min(x, y), Math.max(x, y)];
        const window = { ...ALL, startBytes: start, endBytes: end };
        expect(await algebra.clip(a, { start, end })).toEqual(Shadow.of(SIZE, a).page(window).ranges);
      }),
    );
  });

  it('align takes every granule that is touched, and stays on the disk', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, granularity, async (a, granularityBytes) => {
        const widened = Shadow.of(SIZE, a).widened(granularityBytes);
        expect(await algebra.align(a, granularityBytes, { sizeBytes: SIZE })).toEqual(listOf(widened));
      }),
    );
  });

  it('toBits is a bit for each granule, and fromBits the way back', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, granularity, async (a, granularityBytes) => {
        const of = { granularityBytes, sizeBytes: SIZE };
        const bits = await algebra.toBits(a, of);
        expect(bits).toEqual(Shadow.of(SIZE, a).painted(granularityBytes, 0, SIZE));
        expect(await algebra.fromBits(bits, of)).toEqual(
          await algebra.align(a, granularityBytes, { sizeBytes: SIZE }),
        );
      }),
    );
  });

  it('from takes ranges in any order, over each other and side by side', async () => {
    const one = fc.record({
      offset: fc.integer({ min: 0, max: SIZE - 600 }),
      length: fc.integer({ min: 1, max: 600 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 30 }), async (list) => {
        const shadow = new Shadow(SIZE);
        for (const { offset, length } of list) shadow.add(offset, offset + length);
        const made = algebra.from(list);
        expect(made).toEqual(listOf(shadow));
        // What it gives is a list that every other call takes.
        expect(await algebra.union(made, made)).toEqual(made);
      }),
    );
  });
});
