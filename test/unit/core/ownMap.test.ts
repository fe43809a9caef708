/** Maps and lists that a program makes itself: what is right is taken as it is, what is not is refused by name. */
import { describe, expect, test } from 'vitest';
import type { MapContent, OwnMapFacts } from '../../../lib/core/ownMap.js';
import type { RangePage, RangePager, Window } from '../../../lib/core/rangePage.js';
import { ChangeMap, Ranges } from '../../../lib/host/ranges.js';

const SIZE = 1 << 20;
const FACTS: OwnMapFacts = { disk: 'vda', sizeBytes: SIZE, granularityBytes: 4096, from: 'a', to: 'b' };
const flat = (...numbers: number[]): Float64Array => Float64Array.from(numbers);
const rangesOf = async (content: MapContent, facts = FACTS): Promise<number[]> => [
  ...(await (await ChangeMap.from(content, facts)).ranges()),
];

describe('a map of one’s own', () => {
  test('holds what it was made from, in every shape', async () => {
    const expected = [4096, 8192, 65536, 4096];
    expect(await rangesOf(flat(...expected))).toEqual(expected);
    expect(
      await rangesOf([
        { offset: 65536, length: 4096 },
        { offset: 8192, length: 4096 },
        { offset: 4096, length: 5000 },
      ]),
    ).toEqual(expected);
    const pager: RangePager = {
      async page({ startBytes, endBytes }: Window): Promise<RangePage> {
        const ranges = await Ranges.clip(flat(...expected), { start: startBytes, end: endBytes });
        return { ranges, startBytes, nextBytes: endBytes };
      },
    };
    expect(await rangesOf(pager)).toEqual(expected);
    const map = await ChangeMap.from(pager, FACTS);
    expect(map).toMatchObject({ disk: 'vda', sizeBytes: SIZE, granularityBytes: 4096, from: 'a', to: 'b' });
    expect(await map.changedBytes()).toBe(12288);
    expect([...(await map.bits())].slice(0, 3)).toEqual([0b110, 0, 1]);
  });

  test('is a ChangeMap, and tells data from zeros where it was told', async () => {
    const map = await ChangeMap.from(flat(0, 8192), { ...FACTS, data: flat(4096, 65536) });
    expect(map).toBeInstanceOf(ChangeMap);
    const kinds: number[][] = [];
    for await (const { ranges, zero } of map.kinds())
      for (const [at, isZero] of zero.entries()) kinds.push([...ranges.subarray(at * 2, at * 2 + 2), isZero]);
    expect(kinds).toEqual([
      [0, 4096, 1],
      [4096, 4096, 0],
    ]);
  });

  test('holds what its memory held when it was made', async () => {
    const ranges = flat(4096, 4096);
    const map = await ChangeMap.from(ranges, FACTS);
    ranges.fill(0);
    expect([...(await map.ranges())]).toEqual([4096, 4096]);
  });

  test.each<[string, unknown, Partial<OwnMapFacts>, RegExp]>([
    ['a range past the end of the disk', flat(SIZE - 4096, 8192), {}, /content\[0\].*1044480\+8192.*1048576/],
    ['ranges out of order', flat(8192, 1, 0, 1), {}, /content\[1\]/],
    ['ranges that touch', flat(0, 10, 10, 10), {}, /content\[1\]/],
    ['half a range', flat(0), {}, /pairs/],
    ['no number', flat(Number.NaN, 5), {}, /content\[0\]/],
    ['a fraction', [{ offset: 0.5, length: 1 }], {}, /content\[0\]/],
    ['a range of nothing', [{ offset: 0, length: 0 }], {}, /content\[0\]/],
    ['pairs that are no ranges', [[0, 5]], {}, /content\[0\]/],
    ['nothing at all', null, {}, /content/],
    ['a promise', Promise.resolve(flat()), {}, /content/],
    ['no disk', flat(), { disk: '' }, /disk/],
    ['a size below zero', flat(), { sizeBytes: -1 }, /sizeBytes/],
    ['an odd granularity', flat(), { granularityBytes: 1000 }, /granularityBytes/],
    ['a misspelt fact', flat(), { size: 5 } as object, /size/],
  ])('refuses %s', async (_, content, facts, words) => {
    await expect(ChangeMap.from(content as MapContent, { ...FACTS, ...facts })).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      message: expect.stringMatching(words),
    });
  });

  test.each<[string, (window: Window) => unknown]>([
    ['stands still', ({ startBytes }) => ({ ranges: flat(), startBytes, nextBytes: startBytes })],
    ['answers nothing', () => undefined],
    ['answers plain numbers', ({ startBytes }) => ({ ranges: [0, 1], startBytes, nextBytes: SIZE })],
    [
      'leaves the window',
      ({ startBytes }) => ({ ranges: flat(0, 2 * SIZE), startBytes, nextBytes: 2 * SIZE }),
    ],
    ['starts elsewhere', () => ({ ranges: flat(8192, 1), startBytes: 4096, nextBytes: SIZE })],
    [
      'is out of order within',
      ({ startBytes }) => ({ ranges: flat(0, 9, 5, 1), startBytes, nextBytes: SIZE }),
    ],
    ['ends at no number', ({ startBytes }) => ({ ranges: flat(), startBytes, nextBytes: Number.NaN })],
  ])('a pager that %s ends the reading, and is no empty map', async (_, page) => {
    const pager = { page: async (window: Window) => page(window) } as RangePager;
    await expect(rangesOf(pager)).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_PROTOCOL', disk: 'vda' });
    const map = await ChangeMap.from(pager, FACTS);
    await expect(map.changedBytes()).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_PROTOCOL' });
  });

  test('a pager’s own error is the reader’s', async () => {
    const broken = new Error('the storage is gone');
    const pager: RangePager = { page: () => Promise.reject(broken) };
    await expect(rangesOf(pager)).rejects.toBe(broken);
  });

  test('a pager that finds nothing for a while is asked on', async () => {
    const asked: number[] = [];
    const pager: RangePager = {
      async page({ startBytes, endBytes }) {
        asked.push(startBytes);
        const nextBytes = Math.min(startBytes + SIZE / 4, endBytes);
        const last = nextBytes === SIZE;
        return { ranges: last ? flat(SIZE - 4096, 4096) : flat(), startBytes, nextBytes };
      },
    };
    const map = await ChangeMap.from(pager, FACTS);
    expect(await map.page()).toMatchObject({ ranges: flat(SIZE - 4096, 4096), nextBytes: SIZE });
    expect(asked).toHaveLength(4);
  });
});

describe('lists of ranges', () => {
  const good = flat(0, 512);
  test.each<[string, () => unknown, RegExp]>([
    ['a list out of order', () => Ranges.union(flat(8, 1, 0, 1), good), /a\[1\]/],
    ['ranges that touch', () => Ranges.subtract(good, flat(0, 1, 1, 1)), /b\[1\]/],
    ['an array', () => Ranges.intersect([0, 5] as never, good), /\ba\b.*Float64Array/],
    ['a window backwards', () => Ranges.clip(good, { start: 2, end: 1 }), /start/],
    ['an odd granularity', () => Ranges.align(good, 3), /granularityBytes/],
    [
      'a range past the disk',
      () => Ranges.toBits(good, { granularityBytes: 512, sizeBytes: 100 }),
      /ranges\[0\]/,
    ],
    [
      'a bit past the disk',
      () => Ranges.fromBits(Uint8Array.of(0b100), { granularityBytes: 512, sizeBytes: 1024 }),
      /bit 2/,
    ],
    ['no size', () => Ranges.toBits(good, { granularityBytes: 512 } as never), /sizeBytes/],
    ['a misspelt option', () => Ranges.union(good, good, { sginal: 1 } as never), /sginal/],
  ])('refuse %s', async (_, call, words) => {
    await expect((async () => call())()).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      message: expect.stringMatching(words),
    });
  });

  test('an aborted call is ABORTED', async () => {
    await expect(Ranges.union(good, good, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_CBT_ABORTED',
    });
  });
});
