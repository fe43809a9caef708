/** The algebra of range lists and their painting: what every kernel must answer, case by case. */
import { describe, expect, it } from 'vitest';
import { MAX_DISK_BYTES } from '../../lib/core/rangePage.js';
import { kernels } from '../helpers/kernels.js';
import { allPages } from '../helpers/shadow.js';

const ALL = Number.POSITIVE_INFINITY;
const END = MAX_DISK_BYTES;
const GIB = 2 ** 30;
type Pairs = readonly number[];

interface BinaryCase {
  name: string;
  a: Pairs;
  b: Pairs;
  window?: [number, number];
  union: Pairs;
  intersect: Pairs;
  subtract: Pairs;
}

const binary: BinaryCase[] = [
  { name: 'nothing and nothing', a: [], b: [], union: [], intersect: [], subtract: [] },
  { name: 'something and nothing', a: [5, 5], b: [], union: [5, 5], intersect: [], subtract: [5, 5] },
  { name: 'nothing and something', a: [], b: [5, 5], union: [5, 5], intersect: [], subtract: [] },
  {
    name: 'the same twice',
    a: [0, 5, 9, 1],
    b: [0, 5, 9, 1],
    union: [0, 5, 9, 1],
    intersect: [0, 5, 9, 1],
    subtract: [],
  },
  { name: 'apart', a: [0, 5], b: [10, 5], union: [0, 5, 10, 5], intersect: [], subtract: [0, 5] },
  { name: 'touching', a: [0, 5], b: [5, 5], union: [0, 10], intersect: [], subtract: [0, 5] },
  {
    name: 'touching the other way round',
    a: [5, 5],
    b: [0, 5],
    union: [0, 10],
    intersect: [],
    subtract: [5, 5],
  },
  { name: 'overlapping', a: [0, 6], b: [4, 6], union: [0, 10], intersect: [4, 2], subtract: [0, 4] },
  {
    name: 'one inside the other',
    a: [0, 10],
    b: [4, 2],
    union: [0, 10],
    intersect: [4, 2],
    subtract: [0, 4, 6, 4],
  },
  {
    name: 'the other inside the one',
    a: [4, 2],
    b: [0, 10],
    union: [0, 10],
    intersect: [4, 2],
    subtract: [],
  },
  {
    name: 'one range over many',
    a: [0, 100],
    b: [10, 10, 30, 10, 90, 20],
    union: [0, 110],
    intersect: [10, 10, 30, 10, 90, 10],
    subtract: [0, 10, 20, 10, 40, 50],
  },
  {
    name: 'a gap filled exactly',
    a: [0, 10, 20, 10],
    b: [10, 10],
    union: [0, 30],
    intersect: [],
    subtract: [0, 10, 20, 10],
  },
  {
    name: 'teeth that interlock',
    a: [0, 1, 2, 1, 4, 1],
    b: [1, 1, 3, 1, 5, 1],
    union: [0, 6],
    intersect: [],
    subtract: [0, 1, 2, 1, 4, 1],
  },
  {
    name: 'cut by the window',
    a: [0, 100],
    b: [50, 100],
    window: [40, 60],
    union: [40, 20],
    intersect: [50, 10],
    subtract: [40, 10],
  },
  {
    name: 'outside the window',
    a: [0, 10, 90, 10],
    b: [5, 5, 95, 99],
    window: [20, 80],
    union: [],
    intersect: [],
    subtract: [],
  },
  {
    name: 'touching the window from outside',
    a: [0, 20],
    b: [80, 10],
    window: [20, 80],
    union: [],
    intersect: [],
    subtract: [],
  },
  {
    name: 'an empty window',
    a: [0, 100],
    b: [50, 100],
    window: [60, 60],
    union: [],
    intersect: [],
    subtract: [],
  },
  {
    name: 'up to the last byte there is',
    a: [END - 10, 10],
    b: [END - 5, 5],
    union: [END - 10, 10],
    intersect: [END - 5, 5],
    subtract: [END - 10, 5],
  },
  {
    name: 'all there is',
    a: [0, END],
    b: [1, END - 2],
    union: [0, END],
    intersect: [1, END - 2],
    subtract: [0, 1, END - 1, 1],
  },
];

interface UnaryCase {
  name: string;
  ranges: Pairs;
  parameter?: number;
  window?: [number, number];
  answer: Pairs;
}

const clips: UnaryCase[] = [
  { name: 'nothing', ranges: [], answer: [] },
  { name: 'all', ranges: [3, 4, 9, 2], answer: [3, 4, 9, 2] },
  { name: 'both ends', ranges: [0, 10, 20, 10], window: [5, 25], answer: [5, 5, 20, 5] },
  { name: 'inside one range', ranges: [0, 100], window: [5, 6], answer: [5, 1] },
  { name: 'the window is a range', ranges: [5, 5], window: [5, 10], answer: [5, 5] },
  { name: 'the window touches ranges on both sides', ranges: [0, 5, 10, 5], window: [5, 10], answer: [] },
  { name: 'an empty window inside a range', ranges: [0, 100], window: [50, 50], answer: [] },
  { name: 'the last byte', ranges: [0, END], window: [END - 1, END], answer: [END - 1, 1] },
];

const aligns: UnaryCase[] = [
  { name: 'nothing', ranges: [], parameter: 512, answer: [] },
  { name: 'aligned already', ranges: [512, 1024], parameter: 512, answer: [512, 1024] },
  { name: 'one byte', ranges: [700, 1], parameter: 512, answer: [512, 512] },
  {
    name: 'the last byte of a granule and the first of the next',
    ranges: [511, 2],
    parameter: 512,
    answer: [0, 1024],
  },
  { name: 'two in one granule', ranges: [1, 1, 100, 1], parameter: 512, answer: [0, 512] },
  { name: 'two that touch when widened', ranges: [511, 1, 512 + 7, 1], parameter: 512, answer: [0, 1024] },
  { name: 'two that overlap when widened', ranges: [0, 600, 601, 1], parameter: 512, answer: [0, 1024] },
  { name: 'two that stay apart', ranges: [0, 1, 1024, 1], parameter: 512, answer: [0, 512, 1024, 512] },
  {
    name: 'widened into the window from before it',
    ranges: [10, 1],
    parameter: 512,
    window: [100, 1000],
    answer: [100, 412],
  },
  {
    name: 'widened into the window from behind it',
    ranges: [500, 1],
    parameter: 512,
    window: [0, 100],
    answer: [0, 100],
  },
  {
    name: 'widened up to the window',
    ranges: [10, 1, 1030, 1],
    parameter: 512,
    window: [512, 1024],
    answer: [],
  },
  {
    name: 'a window inside a granule',
    ranges: [0, 1, 5000, 1],
    parameter: 4096,
    window: [700, 701],
    answer: [700, 1],
  },
  {
    name: '2 GiB',
    ranges: [3 * GIB, 1],
    parameter: 2 * GIB,
    window: [0, 3.5 * GIB],
    answer: [2 * GIB, 1.5 * GIB],
  },
  {
    name: 'the last granule there is',
    ranges: [END - 1, 1],
    parameter: 2 * GIB,
    answer: [2 ** 53 - 2 * GIB, 2 * GIB - 1],
  },
];

const splits: UnaryCase[] = [
  { name: 'nothing', ranges: [], parameter: 10, answer: [] },
  { name: 'short ones', ranges: [0, 10, 20, 5], parameter: 10, answer: [0, 10, 20, 5] },
  { name: 'one more than allowed', ranges: [3, 11], parameter: 10, answer: [3, 10, 13, 1] },
  { name: 'in thirds', ranges: [3, 30, 50, 1], parameter: 10, answer: [3, 10, 13, 10, 23, 10, 50, 1] },
  { name: 'in bytes', ranges: [3, 3], parameter: 1, answer: [3, 1, 4, 1, 5, 1] },
  {
    name: 'from the clipped start on',
    ranges: [0, 30],
    parameter: 10,
    window: [5, 26],
    answer: [5, 10, 15, 10, 25, 1],
  },
  { name: 'not at all', ranges: [0, END], parameter: END, answer: [0, END] },
  {
    name: 'the largest in two',
    ranges: [0, END],
    parameter: 2 ** 52,
    answer: [0, 2 ** 52, 2 ** 52, 2 ** 52 - 1],
  },
];

describe.each(kernels)('$label: range algebra', ({ kernel }) => {
  const check = async (
    page: Parameters<typeof allPages>[0],
    [startBytes, endBytes]: [number, number],
    answer: Pairs,
  ) => {
    const ranges = Float64Array.from(answer);
    expect(await page({ startBytes, endBytes, maxRanges: ALL })).toEqual({
      ranges,
      startBytes,
      nextBytes: endBytes,
    });
    for (let maxRanges = 1; maxRanges <= answer.length / 2 + 1; maxRanges += 1) {
      const all = await allPages(page, { startBytes, endBytes, maxRanges });
      expect(all.page.ranges).toEqual(ranges);
      expect(all.pages).toBe(Math.max(1, Math.ceil(answer.length / 2 / maxRanges)));
    }
  };

  for (const operation of ['union', 'intersect', 'subtract'] as const) {
    it.each(binary)(`${operation}: $name`, async (one) => {
      const [a, b] = [Float64Array.from(one.a), Float64Array.from(one.b)];
      await check((w) => kernel[operation](a, b, w), one.window ?? [0, END], one[operation]);
    });
  }
  it.each(clips)('clip: $name', async ({ ranges, window = [0, END], answer }) => {
    await check((w) => kernel.clip(Float64Array.from(ranges), w), window, answer);
  });
  it.each(aligns)('align: $name', async ({ ranges, parameter = 512, window = [0, END], answer }) => {
    await check((w) => kernel.align(Float64Array.from(ranges), parameter, w), window, answer);
  });
  it.each(splits)('split: $name', async ({ ranges, parameter = 1, window = [0, END], answer }) => {
    await check((w) => kernel.split(Float64Array.from(ranges), parameter, w), window, answer);
  });

  it('ends a full page at the start of the range that did not fit', async () => {
    const a = Float64Array.of(10, 10, 30, 10, 50, 10);
    const w = { startBytes: 0, endBytes: 1000, maxRanges: 1 };
    expect(await kernel.clip(a, w)).toEqual({
      ranges: Float64Array.of(10, 10),
      startBytes: 0,
      nextBytes: 30,
    });
    expect((await kernel.subtract(a, Float64Array.of(30, 5), w)).nextBytes).toBe(35);
    expect((await kernel.intersect(a, Float64Array.of(15, 25), w)).nextBytes).toBe(30);
    expect((await kernel.union(a, Float64Array.of(20, 10), { ...w, maxRanges: 2 })).nextBytes).toBe(1000);
    expect((await kernel.split(a, 4, { ...w, maxRanges: 2 })).nextBytes).toBe(18);
    expect((await kernel.align(Float64Array.of(0, 1, 1536, 1), 512, w)).nextBytes).toBe(1000);
    expect(
      (await kernel.align(Float64Array.of(0, 1, 700, 1, 1536, 1), 512, { ...w, endBytes: 4096 })).nextBytes,
    ).toBe(1536);
  });

  it('takes one list for both', async () => {
    const a = Float64Array.of(1, 2, 7, 3);
    const w = { startBytes: 0, endBytes: 1000, maxRanges: ALL };
    expect((await kernel.union(a, a, w)).ranges).toEqual(a);
    expect((await kernel.subtract(a, a, w)).ranges).toEqual(new Float64Array(0));
  });
});

interface PaintCase {
  name: string;
  ranges: Pairs;
  granularityBytes?: number;
  window: [number, number];
  bytes: readonly number[];
}

const paintings: PaintCase[] = [
  { name: 'an empty window', ranges: [0, 100], window: [512, 512], bytes: [] },
  { name: 'nothing', ranges: [], window: [0, 4096], bytes: [0] },
  { name: 'everything', ranges: [0, 4096], window: [0, 4096], bytes: [0xff] },
  { name: 'everything but the spare bits', ranges: [0, 1 << 20], window: [0, 512 * 11], bytes: [0xff, 0x07] },
  { name: 'a last granule of one byte', ranges: [512, 1], window: [0, 513], bytes: [2] },
  { name: 'first and last byte of a granule', ranges: [0, 1, 1023, 1], window: [0, 4096], bytes: [3] },
  { name: 'a range over a border', ranges: [511, 2], window: [0, 4096], bytes: [3] },
  {
    name: 'bits counted from the window',
    ranges: [4096, 512, 4096 + 9 * 512, 1],
    window: [4096, 4096 + 512 * 16],
    bytes: [1, 2],
  },
  {
    name: 'ranges cut by the window',
    ranges: [0, 600, 1500, 1000],
    window: [512, 2048],
    bytes: [0b101 | 0b010],
  },
  {
    name: 'nothing from behind the window in its last granule',
    ranges: [600, 1],
    window: [0, 513],
    bytes: [0],
  },
  { name: 'nothing from before the window', ranges: [0, 512], window: [512, 1024], bytes: [0] },
  {
    name: 'long stretches',
    ranges: [512 * 3, 512 * 50],
    window: [0, 512 * 64],
    bytes: [0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0],
  },
  {
    name: '2 GiB granules to the end',
    ranges: [END - 1, 1],
    granularityBytes: 2 * GIB,
    window: [2 ** 53 - 32 * GIB, END],
    bytes: [0, 0x80],
  },
];

describe.each(kernels)('$label: painting', ({ kernel }) => {
  it.each(paintings)(
    '$name',
    async ({ ranges, granularityBytes = 512, window: [startBytes, endBytes], bytes }) => {
      const bits = await kernel.paintRanges(Float64Array.from(ranges), granularityBytes, {
        startBytes,
        endBytes,
      });
      expect(bits).toBeInstanceOf(Uint8Array);
      expect([...bits]).toEqual(bytes);
    },
  );

  it('sets one bit alone at each place of a word and its neighbours', async () => {
    for (let bit = 0; bit < 200; bit += 1) {
      const bits = await kernel.paintRanges(Float64Array.of(bit * 512 + 511, 1), 512, {
        startBytes: 0,
        endBytes: 200 * 512,
      });
      const set = [...bits].flatMap((byte, i) =>
        [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => (byte >> n) & 1).map((n) => i * 8 + n),
      );
      expect(set).toEqual([bit]);
    }
  });
});
