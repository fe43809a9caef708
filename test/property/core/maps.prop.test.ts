/**
 * Maps and pagers against an array of booleans, one a unit of the disk: however the pages are cut, whatever is combined,
 * every way to read a map tells the same bytes, in order, disjoint, and coalesced where that is promised.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChangeMap, type ChangeMapSelection } from '../../../lib/core/changeMap.js';
import {
  clipPager,
  emptyPager,
  intersectPager,
  subtractPager,
  unionPager,
} from '../../../lib/core/pagers.js';
import { checkRanges, MAX_DISK_BYTES, type RangePager, type Ranges } from '../../../lib/core/rangePage.js';
import { createScriptKernel } from '../../../lib/kernel/scriptKernel.js';
import { cutPager } from '../../helpers/cutPager.js';
import { pairsOf } from '../../helpers/memorySource.js';
import { tinyKernel } from '../../helpers/tinyKernel.js';

const KERNELS = [
  { called: 'tiny', kernel: tinyKernel },
  { called: 'script', kernel: createScriptKernel() },
];
const UNITS = 24;

/** Units of a disk: where the first one starts and how long each is. Sizes at 2^53 are as exact as small ones. */
interface Grid {
  base: number;
  unit: number;
}
const grid: fc.Arbitrary<Grid> = fc
  .constantFrom(1, 512, 65_536, 2 ** 40)
  .chain((unit) =>
    fc.constantFrom(
      { base: 0, unit },
      { base: Math.max(2 ** 32 - 5 * unit, 0), unit },
      { base: MAX_DISK_BYTES - UNITS * unit, unit },
    ),
  );
const flags = fc.array(fc.boolean(), { minLength: UNITS, maxLength: UNITS });
/** Cuts in quarters of a unit: at borders, and inside. */
const awkward = fc.record({
  cuts: fc.array(fc.integer({ min: 0, max: 4 * UNITS }), { maxLength: 12 }),
  few: fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY),
});

function rangesOfFlags(set: readonly boolean[], { base, unit }: Grid): Ranges {
  const pairs: number[] = [];
  set.forEach((inside, i) => {
    if (!inside) return;
    if (i > 0 && set[i - 1] === true) pairs[pairs.length - 1]! += unit;
    else pairs.push(base + i * unit, unit);
  });
  return Float64Array.from(pairs);
}

function pagerOf(
  set: readonly boolean[],
  g: Grid,
  { cuts, few }: { cuts: number[]; few: number },
): RangePager {
  const at = cuts.map((quarter) => g.base + Math.floor((quarter * g.unit) / 4));
  return cutPager(rangesOfFlags(set, g), { cuts: at, few });
}

function mapOf(
  pager: RangePager,
  g: Grid,
  selection: ChangeMapSelection = {},
  kernel = tinyKernel,
  granularityBytes = 512,
): ChangeMap {
  const sizeBytes = g.base + UNITS * g.unit;
  const facts = { disk: 'vda', sizeBytes, granularityBytes, from: 'a', to: null, warnings: [] };
  return new ChangeMap(facts, pager, kernel, { start: g.base, ...selection });
}

/** All pages from `start` on, and that each holds what it says: next page, order, room. */
async function pagesOf(
  pager: RangePager,
  from: number,
  endBytes: number,
  maxRanges: number,
): Promise<Ranges[]> {
  const found: Ranges[] = [];
  for (let at = from; at < endBytes; ) {
    const page = await pager.page({ startBytes: at, endBytes, maxRanges });
    expect(page.startBytes).toBe(at);
    expect(page.nextBytes).toBeGreaterThan(at);
    expect(page.ranges.length / 2).toBeLessThanOrEqual(maxRanges);
    checkRanges('page', page.ranges);
    if (page.nextBytes < endBytes) expect(page.ranges.length).toBeGreaterThan(0);
    for (const [offset, length] of pairsOf(page.ranges)) {
      expect(offset).toBeGreaterThanOrEqual(at);
      expect(offset + length).toBeLessThanOrEqual(page.nextBytes);
    }
    found.push(page.ranges);
    at = page.nextBytes;
  }
  return found;
}

/** Joins ranges that touch, as neighbouring pages may leave them. */
function coalesce(parts: readonly Ranges[]): [number, number][] {
  const joined: [number, number][] = [];
  for (const [offset, length] of parts.flatMap(pairsOf)) {
    const last = joined.at(-1);
    if (last !== undefined && last[0] + last[1] === offset) last[1] += length;
    else joined.push([offset, length]);
  }
  return joined;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe.each(KERNELS)('over the $called kernel', ({ kernel }) => {
  const operations = [
    ['union', (a: boolean, b: boolean) => a || b],
    ['subtract', (a: boolean, b: boolean) => a && !b],
    ['intersect', (a: boolean, b: boolean) => a && b],
  ] as const;

  test.each(operations)('%s of two awkward pagers is that of the sets', async (name, belongs) => {
    await fc.assert(
      fc.asyncProperty(
        grid,
        flags,
        flags,
        awkward,
        awkward,
        fc.constantFrom(1, 2, 5, Number.POSITIVE_INFINITY),
        async (g, a, b, cutA, cutB, maxRanges) => {
          const [left, right] = [pagerOf(a, g, cutA), pagerOf(b, g, cutB)];
          const combined = {
            union: unionPager(kernel, [left, right]),
            subtract: subtractPager(kernel, left, right),
            intersect: intersectPager(kernel, left, right),
          }[name];
          const pages = await pagesOf(combined, g.base, g.base + UNITS * g.unit, maxRanges);
          const expected = rangesOfFlags(
            a.map((inA, i) => belongs(inA, b[i] === true)),
            g,
          );
          expect(coalesce(pages)).toEqual(pairsOf(expected));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a union of any number of pagers, each clipped somewhere, is that of what is left of the sets', async () => {
    const part = fc.tuple(flags, awkward, fc.nat(UNITS));
    await fc.assert(
      fc.asyncProperty(
        grid,
        fc.array(part, { maxLength: 4 }),
        fc.constantFrom(1, 3, 99),
        async (g, parts, max) => {
          const pagers = parts.map(([set, cut, end]) =>
            clipPager(pagerOf(set, g, cut), g.base + end * g.unit),
          );
          const union = parts.reduce(
            (sum, [set, , end]) => sum.map((inside, i) => inside || (i < end && set[i] === true)),
            Array<boolean>(UNITS).fill(false),
          );
          const pages = await pagesOf(unionPager(kernel, pagers), g.base, g.base + UNITS * g.unit, max);
          expect(coalesce(pages)).toEqual(pairsOf(rangesOfFlags(union, g)));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('ranges, batches, iteration, pages and the sum of a map agree, from any start, for any maximum', async () => {
    const selection = fc.record({
      start: fc.nat(4 * UNITS),
      max: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(undefined)),
      maxRanges: fc.constantFrom(1, 2, 3, 65_536, Number.POSITIVE_INFINITY),
    });
    await fc.assert(
      fc.asyncProperty(
        grid,
        flags,
        awkward,
        selection,
        async (g, set, cut, { start: quarter, max, maxRanges }) => {
          const start = g.base + Math.floor((quarter * g.unit) / 4);
          const end = g.base + UNITS * g.unit;
          const pager = pagerOf(set, g, cut);
          const map = mapOf(pager, g, { start, max }, kernel);
          const all = pairsOf(rangesOfFlags(set, g)).flatMap(([offset, length]): [number, number][] => {
            const from = Math.max(offset, start);
            return from < offset + length ? [[from, offset + length - from]] : [];
          });
          const expected = all.slice(0, max);

          expect(pairsOf(await map.ranges())).toEqual(expected);
          const batches = await collect(map.batches({ maxRanges }));
          expect(batches.flatMap(pairsOf)).toEqual(expected);
          for (const batch of batches) {
            expect(batch.length).toBeGreaterThan(0);
            expect(batch.length / 2).toBeLessThanOrEqual(maxRanges);
          }
          expect((await collect(map)).map((r) => [r.offset, r.length])).toEqual(expected);
          expect(await map.changedBytes()).toBe(all.reduce((sum, [, length]) => sum + length, 0));

          const paged: Ranges[] = [];
          for (let at = start; ; ) {
            const page = await mapOf(pager, g, { start: at, max }, kernel).page();
            expect(page.ranges.length / 2).toBeLessThanOrEqual(max ?? Number.POSITIVE_INFINITY);
            paged.push(page.ranges);
            at = page.nextBytes;
            if (at >= end) break;
            expect(page.ranges.length).toBeGreaterThan(0);
          }
          expect(coalesce(paged)).toEqual(all);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('bits are set for every block that a changed byte is in, and for no other', async () => {
    const finest = fc.constantFrom(512, 1024, 4096, 65_536, 2 ** 31);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 300, 512, 65_536),
        fc.boolean(),
        flags,
        awkward,
        finest,
        fc.nat(UNITS),
        async (unit, far, set, cut, granularityBytes, first) => {
          const top = Math.floor((MAX_DISK_BYTES - UNITS * unit) / granularityBytes) * granularityBytes;
          const g = { base: far ? top : 0, unit };
          const sizeBytes = g.base + UNITS * unit;
          const start = g.base + Math.floor((first * unit) / granularityBytes) * granularityBytes;
          const map = mapOf(pagerOf(set, g, cut), g, { start }, kernel);
          const bits = await map.bits(granularityBytes);
          const count = Math.ceil((sizeBytes - start) / granularityBytes);
          expect(bits.length).toBe(Math.ceil(count / 8));
          const ranges = pairsOf(rangesOfFlags(set, g));
          for (let bit = 0; bit < bits.length * 8; bit += 1) {
            const from = start + bit * granularityBytes;
            const until = Math.min(from + granularityBytes, sizeBytes);
            const dirty = ranges.some(([offset, length]) => offset < until && offset + length > from);
            expect((bits[bit >> 3]! >> (bit & 7)) & 1, `bit ${bit}`).toBe(bit < count && dirty ? 1 : 0);
          }
          const chunks = await collect(map.bitBatches(granularityBytes));
          expect(Buffer.concat(chunks)).toEqual(Buffer.from(bits));
        },
      ),
      { numRuns: 100 },
    );
  });
});

test('nothing in nothing', async () => {
  expect(await pagesOf(emptyPager, 0, 100, 1)).toHaveLength(1);
  expect(unionPager(tinyKernel, [])).toBe(emptyPager);
});
