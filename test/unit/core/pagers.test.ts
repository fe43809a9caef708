/** Pagers put together: what they ask of their parts, and what they do with parts that break the rules. */
import { describe, expect, test } from 'vitest';
import {
  clipPager,
  emptyPager,
  fixedPager,
  intersectPager,
  subtractPager,
  unionPager,
} from '../../../lib/core/pagers.js';
import type { RangePager, Window } from '../../../lib/core/rangePage.js';
import { cutPager } from '../../helpers/cutPager.js';
import { pairsOf, rangesOf } from '../../helpers/memorySource.js';
import { refusalOf } from '../../helpers/refusal.js';
import { tinyKernel } from '../../helpers/tinyKernel.js';

const ALL = Number.POSITIVE_INFINITY;
const window = (startBytes: number, endBytes: number, maxRanges = ALL): Window => ({
  startBytes,
  endBytes,
  maxRanges,
});

const combiners: [string, (a: RangePager, b: RangePager) => RangePager][] = [
  ['union', (a, b) => unionPager(tinyKernel, [a, b])],
  ['subtract', (a, b) => subtractPager(tinyKernel, a, b)],
  ['intersect', (a, b) => intersectPager(tinyKernel, a, b)],
];

test('a union is cut where its shorter part stopped, and goes on there', async () => {
  const a = cutPager(rangesOf([0, 4], [6, 2]), { cuts: [10] });
  const b = cutPager(rangesOf([2, 6], [9, 5]), { cuts: [7] });
  const union = unionPager(tinyKernel, [a, b]);
  const first = await union.page(window(0, 20));
  expect([pairsOf(first.ranges), first.nextBytes]).toEqual([[[0, 7]], 7]);
  const second = await union.page(window(7, 20));
  expect([pairsOf(second.ranges), second.nextBytes]).toEqual([
    [
      [7, 1],
      [9, 1],
    ],
    10,
  ]);
});

test('a combination that is empty where its parts are not goes on to its next range', async () => {
  const dense = rangesOf([0, 1], [2, 1], [4, 1], [6, 1], [8, 1]);
  const a = cutPager(dense, { few: 1 });
  const b = cutPager(rangesOf([0, 1], [2, 1], [4, 1]), { few: 1 });
  const left = await subtractPager(tinyKernel, a, b).page(window(0, 10, 1));
  expect([pairsOf(left.ranges), left.startBytes]).toEqual([[[6, 1]], 0]);
  const nothing = await intersectPager(tinyKernel, cutPager(rangesOf([1, 1], [3, 1]), { few: 1 }), b).page(
    window(0, 10),
  );
  expect(nothing).toEqual({ ranges: rangesOf(), startBytes: 0, nextBytes: 10 });
});

test('a clipped pager never asks past its end, and is complete beyond it', async () => {
  const asked: Window[] = [];
  const inner: RangePager = {
    page: async (w) => {
      asked.push(w);
      return tinyKernel.clip(rangesOf([2, 3], [8, 4]), w);
    },
  };
  const clipped = clipPager(inner, 10);
  expect(await clipped.page(window(0, 50))).toEqual({
    ranges: rangesOf([2, 3], [8, 2]),
    startBytes: 0,
    nextBytes: 50,
  });
  expect(await clipped.page(window(0, 50, 1))).toMatchObject({ nextBytes: 8 });
  expect(await clipped.page(window(10, 50))).toEqual({ ranges: rangesOf(), startBytes: 10, nextBytes: 50 });
  expect(await clipped.page(window(0, 4))).toMatchObject({ ranges: rangesOf([2, 2]), nextBytes: 4 });
  expect(asked.map((w) => w.endBytes)).toEqual([10, 10, 4]);
});

test('fixed ranges are told page by page', async () => {
  const pager = fixedPager(tinyKernel, rangesOf([0, 2], [5, 2]));
  expect(await pager.page(window(1, 9, 1))).toEqual({
    ranges: rangesOf([1, 1]),
    startBytes: 1,
    nextBytes: 5,
  });
});

describe('what is not kept is not passed on', () => {
  const whole = cutPager(rangesOf([0, 10]), {});
  const rogues: [string, RangePager][] = [
    [
      'stuck',
      { page: async (w) => ({ ranges: rangesOf(), startBytes: w.startBytes, nextBytes: w.startBytes }) },
    ],
    [
      'too far',
      { page: async (w) => ({ ranges: rangesOf(), startBytes: w.startBytes, nextBytes: w.endBytes + 1 }) },
    ],
    [
      'nowhere',
      { page: async (w) => ({ ranges: rangesOf(), startBytes: w.startBytes, nextBytes: Number.NaN }) },
    ],
    ['elsewhere', { page: async (w) => ({ ranges: rangesOf(), startBytes: 1, nextBytes: w.endBytes }) }],
  ];

  test.each(rogues)('%s', async (_, rogue) => {
    for (const [, combine] of combiners) {
      for (const pager of [combine(rogue, whole), combine(whole, rogue)]) {
        expect((await refusalOf(pager.page(window(0, 20)))).code).toBe('ERR_CBT_INTERNAL');
      }
    }
    expect((await refusalOf(clipPager(rogue, 10).page(window(0, 10)))).code).toBe('ERR_CBT_INTERNAL');
  });

  test.each(combiners)('%s: the error of a part is the error of the whole', async (_, combine) => {
    const failing: RangePager = { page: () => Promise.reject(new Error('read failed')) };
    for (const pager of [combine(failing, whole), combine(whole, failing)]) {
      await expect(pager.page(window(0, 20))).rejects.toThrow('read failed');
    }
  });

  test('a wrong window is refused by all alike', async () => {
    const pagers = [
      emptyPager,
      clipPager(whole, 5),
      ...combiners.map(([, combine]) => combine(whole, whole)),
    ];
    for (const pager of pagers) {
      for (const wrong of [
        window(5, 4),
        window(-1, 4),
        window(0, 2 ** 53),
        window(0, 4, 0),
        window(Number.NaN, 4),
      ]) {
        expect((await refusalOf(pager.page(wrong))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
      }
    }
  });
});
