/** Pages cut from a larger answer: the same as asking for each, with fewer questions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutPage, nbdPager } from '../../../../lib/backend/nbd/nbdPager.js';
import type { RangePage, Window } from '../../../../lib/core/rangePage.js';

const ALL = Number.POSITIVE_INFINITY;

/** Ranges of a set of bytes, one after the other: the plain way to answer a window. */
function answer(dirty: ReadonlySet<number>, { startBytes, endBytes, maxRanges }: Window): RangePage {
  const ranges: number[] = [];
  let nextBytes = endBytes;
  for (let at = startBytes; at < endBytes; at += 1) {
    if (!dirty.has(at)) continue;
    const last = ranges.length - 2;
    if (last >= 0 && ranges[last]! + ranges[last + 1]! === at) ranges[last + 1]! += 1;
    else if (ranges.length / 2 === maxRanges) {
      nextBytes = at;
      break;
    } else ranges.push(at, 1);
  }
  return { ranges: Float64Array.from(ranges), startBytes, nextBytes };
}

const bytes = fc.integer({ min: 0, max: 40 });
const window = fc
  .tuple(bytes, bytes, fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(ALL)))
  .map(([a, b, maxRanges]) => ({ startBytes: Math.min(a, b), endBytes: Math.max(a, b), maxRanges }));

describe('a page cut from a larger answer', () => {
  test('is the page that would have been asked for, or is not given', () => {
    fc.assert(
      fc.property(fc.uniqueArray(bytes), window, window, (list, asked, wanted) => {
        const dirty = new Set(list);
        const kept = answer(dirty, asked);
        const before = kept.ranges.slice();
        const cut = cutPage(kept, wanted);
        const inside = wanted.startBytes >= asked.startBytes && wanted.endBytes <= kept.nextBytes;
        if (inside) expect(cut).toBeDefined();
        if (cut !== undefined) expect(cut).toEqual(answer(dirty, wanted));
        expect(kept.ranges).toEqual(before);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a pager', () => {
  test('gives every page as asked for, whatever was asked before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(bytes), fc.array(window, { maxLength: 12 }), async (list, windows) => {
        const dirty = new Set(list);
        const pager = nbdPager(async (asked) => answer(dirty, asked));
        for (const asked of windows) expect(await pager.page(asked)).toEqual(answer(dirty, asked));
      }),
    );
  });

  test('asks once for many small pages', async () => {
    const questions: Window[] = [];
    const dirty = new Set(Array.from({ length: 500 }, (_, i) => 2 * i));
    const pager = nbdPager(async (asked) => {
      questions.push(asked);
      return answer(dirty, asked);
    });
    let at = 0;
    let pages = 0;
    for (; at < 1000; pages += 1)
      at = (await pager.page({ startBytes: at, endBytes: 1000, maxRanges: 10 })).nextBytes;
    expect(pages).toBe(50);
    expect(questions).toHaveLength(1);
  });

  test('asks for all at once where all is wanted', async () => {
    const questions: Window[] = [];
    const pager = nbdPager(async (asked) => {
      questions.push(asked);
      return answer(new Set([1, 3]), asked);
    });
    await pager.page({ startBytes: 0, endBytes: 9, maxRanges: ALL });
    expect(questions).toEqual([{ startBytes: 0, endBytes: 9, maxRanges: ALL }]);
  });

  test('keeps nothing of a question that failed', async () => {
    let failing = true;
    const pager = nbdPager(async (asked) => {
      if (failing) throw new Error('gone');
      return answer(new Set([5]), asked);
    });
    const asked = { startBytes: 0, endBytes: 9, maxRanges: 2 };
    await expect(pager.page(asked)).rejects.toThrow('gone');
    failing = false;
    expect((await pager.page(asked)).ranges).toEqual(Float64Array.of(5, 1));
  });
});
