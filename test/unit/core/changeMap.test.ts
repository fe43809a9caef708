/** One map, read in every way, at sizes where pages, batches and pieces of bits meet their borders. */
import { describe, expect, test } from 'vitest';
import { ChangeMap, type ChangeMapFacts, type ChangeMapSelection } from '../../../lib/core/changeMap.js';
import { CbtError } from '../../../lib/core/errors.js';
import { emptyPager } from '../../../lib/core/pagers.js';
import type { RangePager, Ranges, Window } from '../../../lib/core/rangePage.js';
import { cutPager } from '../../helpers/cutPager.js';
import { pairsOf, rangesOf } from '../../helpers/memorySource.js';
import { refusal, refusalOf } from '../../helpers/refusal.js';
import { tinyKernel } from '../../helpers/tinyKernel.js';

const FACTS: ChangeMapFacts = {
  disk: 'vda',
  sizeBytes: 100 * 512,
  granularityBytes: 512,
  from: 'a',
  to: null,
  warnings: ['w'],
};

function map(
  pager: RangePager,
  selection: ChangeMapSelection = {},
  facts: Partial<ChangeMapFacts> = {},
): ChangeMap {
  return new ChangeMap({ ...FACTS, ...facts }, pager, tinyKernel, selection);
}

/** `count` ranges of one unit, every other unit; pages in time that does not depend on the count. */
function stripes(count: number, asked: Window[] = []): RangePager {
  return {
    async page(window) {
      asked.push(window);
      const first = Math.ceil(window.startBytes / 2);
      const room = Math.min(window.maxRanges, count - first);
      const last = Math.min(first + room, Math.ceil(window.endBytes / 2));
      const ranges = new Float64Array(2 * Math.max(last - first, 0));
      for (let i = first; i < last; i += 1) ranges.set([2 * i, 1], 2 * (i - first));
      return {
        ranges,
        startBytes: window.startBytes,
        nextBytes: last < count ? Math.min(2 * last, window.endBytes) : window.endBytes,
      };
    },
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('what is asked', () => {
  test('the facts are told as given', () => {
    const answer = map(emptyPager, { start: 512 });
    expect({ ...FACTS, start: 512 }).toEqual({
      disk: answer.disk,
      sizeBytes: answer.sizeBytes,
      granularityBytes: answer.granularityBytes,
      from: answer.from,
      to: answer.to,
      warnings: answer.warnings,
      start: answer.start,
    });
  });

  test.each<[string, ChangeMapSelection, string]>([
    ['before the disk', { start: -1 }, 'start is -1'],
    ['past the disk', { start: FACTS.sizeBytes + 1 }, `the size of the disk, ${FACTS.sizeBytes}`],
    ['between two bytes', { start: 0.5 }, 'start is 0.5'],
    ['nowhere', { start: Number.NaN }, 'start is NaN'],
    ['a bigint', { start: 5n as unknown as number }, 'start is 5'],
    ['null', { start: null as unknown as number }, 'start is null'],
    ['no range', { max: 0 }, 'max is 0'],
    ['half a range', { max: 0.5 }, 'max is 0.5'],
    ['NaN ranges', { max: Number.NaN }, 'max is NaN'],
    ['minus infinity', { max: Number.NEGATIVE_INFINITY }, 'max is -Infinity'],
  ])('refused: %s', (_, selection, message) => {
    const error = refusal(() => map(emptyPager, selection));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toContain(message);
  });

  test.each([2 ** 53, Number.NaN, -1])('refused: a size of %s', (sizeBytes) => {
    expect(refusal(() => map(emptyPager, {}, { sizeBytes })).message).toContain('sizeBytes');
  });

  test('refused: a granularity that is none', () => {
    expect(refusal(() => map(emptyPager, {}, { granularityBytes: 513 })).message).toContain(
      'granularityBytes',
    );
  });

  test('minus zero is zero', async () => {
    const answer = map(cutPager(rangesOf([0, 5]), {}), { start: -0 });
    expect(Object.is(answer.start, 0)).toBe(true);
    expect(Object.is((await answer.ranges())[0], 0)).toBe(true);
    expect(Object.is((await answer.page()).startBytes, 0)).toBe(true);
  });

  test('the end of the disk may be asked: nothing is there', async () => {
    const answer = map(cutPager(rangesOf([0, FACTS.sizeBytes]), {}), { start: FACTS.sizeBytes });
    expect(await answer.page()).toEqual({
      ranges: rangesOf(),
      startBytes: FACTS.sizeBytes,
      nextBytes: FACTS.sizeBytes,
    });
    expect(await answer.ranges()).toHaveLength(0);
    expect(await collect(answer)).toEqual([]);
    expect(await answer.changedBytes()).toBe(0);
    expect(await answer.bits()).toHaveLength(0);
  });

  test('an empty disk', async () => {
    const answer = map(emptyPager, {}, { sizeBytes: 0 });
    expect(await answer.page()).toEqual({ ranges: rangesOf(), startBytes: 0, nextBytes: 0 });
    expect(await answer.bits()).toHaveLength(0);
    expect(await collect(answer.batches())).toEqual([]);
  });
});

describe('many ranges', () => {
  const COUNT = 200_000;
  const facts = { sizeBytes: 2 * COUNT + 7 };

  test('all are told, whole and in batches, with bounded pages', async () => {
    const asked: Window[] = [];
    const answer = map(stripes(COUNT, asked), {}, facts);
    const batches = await collect(answer.batches());
    expect(batches.length).toBeGreaterThan(3);
    expect(batches.reduce((sum, b) => sum + b.length / 2, 0)).toBe(COUNT);
    expect(Math.max(...asked.map((w) => w.maxRanges))).toBeLessThanOrEqual(65_536);
    expect(batches[1]?.[0]).toBe(2 * 65_536);
    expect((await answer.ranges()).length).toBe(2 * COUNT);
    expect(await answer.changedBytes()).toBe(COUNT);
  });

  test('a maximum that lies past a batch is met exactly', async () => {
    const answer = map(stripes(COUNT), { max: 70_000 }, facts);
    const page = await answer.page();
    expect([page.ranges.length / 2, page.nextBytes]).toEqual([70_000, 140_000]);
    expect((await answer.ranges()).length / 2).toBe(70_000);
    expect((await collect(answer.batches({ maxRanges: 30_000 }))).map((b) => b.length / 2)).toEqual([
      30_000, 30_000, 10_000,
    ]);
  });

  test('who stops early reads no further', async () => {
    const asked: Window[] = [];
    for await (const batch of map(stripes(COUNT, asked), {}, facts).batches({ maxRanges: 10 })) {
      expect(batch.length).toBe(20);
      break;
    }
    expect(asked).toHaveLength(1);
  });
});

test('a range that crosses every page border is one range', async () => {
  const cuts = Array.from({ length: 99 }, (_, i) => (i + 1) * 512);
  const answer = map(cutPager(rangesOf([0, FACTS.sizeBytes]), { cuts }));
  expect(pairsOf(await answer.ranges())).toEqual([[0, FACTS.sizeBytes]]);
  expect(await collect(answer)).toEqual([{ offset: 0, length: FACTS.sizeBytes }]);
  expect(pairsOf(await map(cutPager(rangesOf([0, FACTS.sizeBytes]), { cuts }), { max: 1 }).ranges())).toEqual(
    [[0, FACTS.sizeBytes]],
  );
});

test.each([0, -1, 0.5, Number.NaN])('batches of %s ranges are refused', async (maxRanges) => {
  const error = await refusalOf(collect(map(emptyPager).batches({ maxRanges })));
  expect([error.code, error.message.split(' ')[0]]).toEqual(['ERR_CBT_INVALID_ARGUMENT', 'maxRanges']);
});

describe('bits', () => {
  /** 4 GiB of a disk are one piece of bits at 512 bytes. */
  const PIECE = 2 ** 20 * 8 * 512;
  const far: Ranges = rangesOf(
    [0, 1],
    [PIECE - 1, 2],
    [2 * PIECE - 512, 512],
    [2 * PIECE + 511, 1],
    [3 * PIECE + 4096, 1],
  );
  const facts = { sizeBytes: 3 * PIECE + 4097 };

  function setBits(bits: Uint8Array): number[] {
    const found: number[] = [];
    bits.forEach((byte, at) => {
      for (let bit = 0; byte >> bit > 0; bit += 1) if ((byte >> bit) & 1) found.push(8 * at + bit);
    });
    return found;
  }

  test('pieces fit together without a seam', async () => {
    const answer = map(cutPager(far, { cuts: [PIECE / 2, PIECE, PIECE + 100, 3 * PIECE] }), {}, facts);
    const perPiece = PIECE / 512;
    const expected = [0, perPiece - 1, perPiece, 2 * perPiece - 1, 2 * perPiece, 3 * perPiece + 8];
    const pieces = await collect(answer.bitBatches());
    expect(pieces.map((p) => p.length)).toEqual([2 ** 20, 2 ** 20, 2 ** 20, 2]);
    expect(pieces.flatMap((p, i) => setBits(p).map((bit) => bit + i * perPiece))).toEqual(expected);
    const whole = await answer.bits();
    expect(whole.length).toBe(3 * 2 ** 20 + 2);
    expect(setBits(whole)).toEqual(expected);
  });

  test('from a start inside, bit 0 is the block at the start', async () => {
    const answer = map(cutPager(far, {}), { start: PIECE }, facts);
    expect(setBits(await answer.bits()).at(0)).toBe(0);
    expect(setBits(await answer.bits(2 ** 31))).toEqual([0, 1, 2, 4]);
  });

  test('a maximum of ranges does not drop a bit', async () => {
    expect(setBits(await map(cutPager(far, {}), { max: 1 }, facts).bits(2 ** 31))).toEqual([
      0, 1, 2, 3, 4, 6,
    ]);
  });

  test('the default is the granularity of the map, and growth off its grid is widened to it', async () => {
    const answer = map(cutPager(rangesOf([700, 1]), {}), {}, { granularityBytes: 4096, sizeBytes: 9000 });
    expect([...(await answer.bits())]).toEqual([0b001]);
  });

  test.each<[string, ChangeMapSelection, number, string]>([
    ['off the grid', { start: 512 }, 4096, 'start is 512, expected a multiple of the granularity 4096'],
    ['no power of two', {}, 1000, 'granularityBytes is 1000'],
    ['too fine', {}, 256, 'granularityBytes is 256'],
  ])('refused: %s', async (_, selection, granularityBytes, message) => {
    const answer = map(emptyPager, selection);
    for (const work of [answer.bits(granularityBytes), collect(answer.bitBatches(granularityBytes))]) {
      const error = await refusalOf(work);
      expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
      expect(error.message).toContain(message);
    }
  });

  test('more bits than memory should hold are refused before any is allocated', async () => {
    const sizeBytes = Number.MAX_SAFE_INTEGER;
    const error = await refusalOf(map(emptyPager, {}, { sizeBytes }).bits(65_536));
    expect(error.message).toContain('granularityBytes is 65536');
    expect(error.message).toContain('4 GiB');
    const last = Math.floor(sizeBytes / 2 ** 31) * 2 ** 31;
    expect(await map(emptyPager, { start: last }, { sizeBytes }).bits(2 ** 31)).toHaveLength(1);
  });
});

describe('what goes wrong while reading', () => {
  const readers: [string, (m: ChangeMap) => Promise<unknown>][] = [
    ['page', (m) => m.page()],
    ['ranges', (m) => m.ranges()],
    ['batches', (m) => collect(m.batches())],
    ['iteration', (m) => collect(m)],
    ['changedBytes', (m) => m.changedBytes()],
    ['bits', (m) => m.bits()],
  ];
  const half = rangesOf([0, 512]);
  const failLater = (error: unknown): RangePager => ({
    page: async ({ startBytes }) => {
      if (startBytes > 0) throw error;
      return { ranges: half, startBytes, nextBytes: 512 };
    },
  });

  test.each(readers.slice(1))(
    '%s: an error after the first page is never a shorter answer',
    async (_, read) => {
      const error = await refusalOf(read(map(failLater(new CbtError('ERR_CBT_CORRUPT_IMAGE', 'cluster 7')))));
      expect([error.code, error.disk, error.message]).toEqual(['ERR_CBT_CORRUPT_IMAGE', 'vda', 'cluster 7']);
      const plain = new TypeError('bug');
      await expect(read(map(failLater(plain)))).rejects.toBe(plain);
    },
  );

  test.each(readers)('%s: a page that leads nowhere is an error, not the end', async (_, read) => {
    for (const nextBytes of [Number.NaN, 0, FACTS.sizeBytes + 1]) {
      const rogue: RangePager = {
        page: async ({ startBytes }) => ({ ranges: rangesOf(), startBytes, nextBytes }),
      };
      const error = await refusalOf(read(map(rogue)));
      expect(error.code).toBe('ERR_CBT_INTERNAL');
      expect(error.message).toContain('the map of vda');
    }
  });

  test.each(readers)('%s: a signal that fired stops it', async (_, read) => {
    const error = await refusalOf(read(map(stripes(10), { signal: AbortSignal.abort(new Error('enough')) })));
    expect(error.code).toBe('ERR_CBT_ABORTED');
  });

  test('a signal that fires in between stops the next page', async () => {
    const controller = new AbortController();
    const answer = map(stripes(1000), { signal: controller.signal }, { sizeBytes: 2000 });
    const work = async (): Promise<void> => {
      for await (const _ of answer.batches({ maxRanges: 10 })) controller.abort();
    };
    expect((await refusalOf(work)).code).toBe('ERR_CBT_ABORTED');
  });
});

test('bytes are counted by the pager where it can, from the start, and its error names the disk', async () => {
  const asked: unknown[] = [];
  const pager: RangePager = {
    page: () => expect.unreachable('it was asked for pages'),
    count(window) {
      asked.push(this === pager, window.startBytes, window.endBytes);
      return Promise.resolve(42);
    },
  };
  expect(await map(pager, { start: 1024 }).changedBytes()).toBe(42);
  expect(asked).toEqual([true, 1024, FACTS.sizeBytes]);
  const failing: RangePager = {
    ...pager,
    count: () => Promise.reject(new CbtError('ERR_CBT_TIMEOUT', 'slow')),
  };
  expect(await refusalOf(map(failing).changedBytes())).toMatchObject({
    code: 'ERR_CBT_TIMEOUT',
    disk: 'vda',
  });
});

test('progress is told after every page and ends at the size', async () => {
  const told: [number, number][] = [];
  const answer = map(cutPager(rangesOf([0, 100 * 512]), { cuts: [512, 5000] }), {
    onProgress: ({ doneBytes, totalBytes }) => told.push([doneBytes, totalBytes]),
  });
  await collect(answer.batches());
  expect(told).toEqual([
    [512, 51_200],
    [5000, 51_200],
    [51_200, 51_200],
  ]);
});
