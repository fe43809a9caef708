/** Dirty bitmaps to ranges and counts: what every kernel must answer, case by case. */
import { describe, expect, it } from 'vitest';
import type { BitmapSegment } from '../../lib/core/bitmapKernel.js';
import { MAX_DISK_BYTES } from '../../lib/core/rangePage.js';
import { ALL, GIB, memory, TIB } from '../helpers/bitmapSegments.js';
import { kernels } from '../helpers/kernels.js';
import { allPages } from '../helpers/shadow.js';

interface Case {
  name: string;
  segments: BitmapSegment[];
  granularityBytes?: number;
  window: [start: number, end: number];
  ranges: number[];
}

const cases: Case[] = [
  { name: 'no segment', segments: [], window: [0, 1 << 20], ranges: [] },
  { name: 'a bitmap of no bytes', segments: [memory(512, [])], window: [0, 1 << 20], ranges: [] },
  { name: 'an empty window', segments: [memory(512, [0, 1, 2])], window: [700, 700], ranges: [] },
  {
    name: 'an empty window at the end of all offsets',
    segments: [memory(512, [0])],
    window: [MAX_DISK_BYTES, MAX_DISK_BYTES],
    ranges: [],
  },
  { name: 'a disk of one byte', segments: [memory(512, [0])], window: [0, 1], ranges: [0, 1] },
  ...[0, 1, 7, 8, 31, 32, 63, 64, 65, 127, 255, 256, 511].map((bit) => ({
    name: `bit ${bit} alone`,
    segments: [memory(512, [bit])],
    window: [0, 512 * 512] as [number, number],
    ranges: [bit * 512, 512],
  })),
  ...[7, 31, 63, 127, 255].map((bit) => ({
    name: `bits ${bit} and ${bit + 1}, which touch`,
    segments: [memory(512, [bit, bit + 1])],
    window: [0, 512 * 512] as [number, number],
    ranges: [bit * 512, 1024],
  })),
  {
    name: 'ranges on both sides of a clean bit',
    segments: [memory(512, [0, 1, 3, 4])],
    window: [0, 4096],
    ranges: [0, 1024, 1536, 1024],
  },
  {
    name: 'the last granule cut by the size',
    segments: [memory(65536, [2])],
    window: [0, 131077],
    ranges: [131072, 5],
  },
  {
    name: 'bits past the size',
    segments: [memory(512, [1, 2, 3, 9])],
    window: [0, 1000],
    ranges: [512, 488],
  },
  {
    name: 'a bitmap that ends before the disk',
    segments: [memory(512, [7])],
    window: [0, TIB],
    ranges: [3584, 512],
  },
  {
    name: 'a window inside a range',
    segments: [memory(512, [0, 1, 2, 3])],
    window: [700, 1300],
    ranges: [700, 600],
  },
  {
    name: 'a window that starts inside one range and ends inside another',
    segments: [memory(512, [0, 2])],
    window: [100, 1100],
    ranges: [100, 412, 1024, 76],
  },
  { name: 'a window between two ranges', segments: [memory(512, [0, 3])], window: [512, 1536], ranges: [] },
  {
    name: 'two segments of one granularity',
    segments: [memory(512, [0, 5]), memory(512, [1, 64])],
    window: [0, 65536],
    ranges: [0, 1024, 2560, 512, 32768, 512],
  },
  {
    name: 'three segments, of which one is empty',
    segments: [memory(512, [0]), memory(512, []), memory(512, [1])],
    window: [0, 65536],
    ranges: [0, 1024],
  },
  {
    name: 'fine widened to coarse',
    segments: [memory(512, [3]), memory(4096, [2])],
    window: [0, 65536],
    ranges: [0, 4096, 8192, 4096],
  },
  {
    name: 'coarse first, fine second',
    segments: [memory(4096, [2]), memory(512, [3])],
    window: [0, 65536],
    ranges: [0, 4096, 8192, 4096],
  },
  {
    name: 'all widened to the granularity asked for',
    segments: [memory(512, [3]), memory(1024, [70])],
    granularityBytes: 65536,
    window: [0, 1 << 20],
    ranges: [0, 131072],
  },
  {
    name: 'a granularity asked for that is finer',
    segments: [memory(4096, [1])],
    granularityBytes: 512,
    window: [0, 65536],
    ranges: [4096, 4096],
  },
  {
    name: 'each fold from 1 to 2048 of one bit',
    segments: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((power) =>
      memory(512 * 2 ** power, [4096 / 2 ** power]),
    ),
    window: [0, 4 << 20],
    ranges: [2 << 20, 1 << 20],
  },
  {
    name: '512 bytes and 2 GiB',
    segments: [memory(512, [0, 4194304 * 3 + 17]), memory(2 * GIB, [1])],
    window: [0, 9 * GIB],
    ranges: [0, 4 * GIB, 6 * GIB, 2 * GIB],
  },
  {
    name: '512 bytes and 2 GiB, seen through a small window',
    segments: [memory(512, [0, 4194304 * 3 + 17]), memory(2 * GIB, [1])],
    window: [7 * GIB - 3, 7 * GIB + 4],
    ranges: [7 * GIB - 3, 7],
  },
  {
    name: 'a bit behind the window that shares a granule with it',
    segments: [memory(512, [7])],
    granularityBytes: 4096,
    window: [0, 512],
    ranges: [0, 512],
  },
  {
    name: 'a bit before the window that shares a granule with it',
    segments: [memory(512, [0])],
    granularityBytes: 4096,
    window: [1024, 9000],
    ranges: [1024, 3072],
  },
  {
    name: 'a bit behind the window that shares none',
    segments: [memory(512, [8])],
    granularityBytes: 4096,
    window: [0, 4096],
    ranges: [],
  },
  {
    name: 'the last byte that numbers can name',
    segments: [memory(2 * GIB, [2 ** 22 - 1])],
    window: [0, MAX_DISK_BYTES],
    ranges: [2 ** 53 - 2 ** 31, 2 ** 31 - 1],
  },
  {
    name: 'a window at the end of all offsets',
    segments: [memory(2 * GIB, [2 ** 22 - 1])],
    window: [MAX_DISK_BYTES - 3, MAX_DISK_BYTES],
    ranges: [MAX_DISK_BYTES - 3, 3],
  },
];

describe.each(kernels)('$label: bitmaps in memory', ({ kernel }) => {
  it.each(cases)('$name', async ({ segments, granularityBytes = 512, window, ranges }) => {
    const [startBytes, endBytes] = window;
    const page = await kernel.scanBitmaps(segments, granularityBytes, {
      startBytes,
      endBytes,
      maxRanges: ALL,
    });
    expect(page).toEqual({ ranges: Float64Array.from(ranges), startBytes, nextBytes: endBytes });
    const bytes = ranges.filter((_, i) => i % 2 === 1).reduce((sum, length) => sum + length, 0);
    expect(await kernel.countBitmaps(segments, granularityBytes, { startBytes, endBytes })).toBe(bytes);
  });

  it.each(cases.filter(({ ranges }) => ranges.length > 0))(
    'page by page, whatever the cap: $name',
    async ({ segments, granularityBytes = 512, window, ranges }) => {
      const [startBytes, endBytes] = window;
      const count = ranges.length / 2;
      for (let maxRanges = 1; maxRanges <= count + 1; maxRanges += 1) {
        const all = await allPages((w) => kernel.scanBitmaps(segments, granularityBytes, w), {
          startBytes,
          endBytes,
          maxRanges,
        });
        expect(all.page.ranges).toEqual(Float64Array.from(ranges));
        expect(all.pages).toBe(Math.ceil(count / maxRanges));
      }
    },
  );

  it('ends a full page at the start of the range that did not fit, wherever that is', async () => {
    const segment = memory(512, [0, 2, 1000, 70000]);
    const next = async (startBytes: number, maxRanges: number) =>
      (await kernel.scanBitmaps([segment], 512, { startBytes, endBytes: 1 << 30, maxRanges })).nextBytes;
    expect(await next(0, 1)).toBe(1024);
    expect(await next(0, 2)).toBe(512000);
    expect(await next(0, 3)).toBe(70000 * 512);
    expect(await next(0, 4)).toBe(1 << 30);
    expect(await next(100, 1)).toBe(1024);
    expect(await next(1100, 1)).toBe(512000);
  });

  it('takes bytes from the middle of a larger buffer, at any alignment', async () => {
    for (let shift = 0; shift < 9; shift += 1) {
      const buffer = new Uint8Array(64 + shift).fill(0xff);
      const bytes = buffer.subarray(shift, shift + 33).fill(0);
      bytes[32] = 0x80;
      const segment: BitmapSegment = { granularityBytes: 512, bits: { kind: 'memory', bytes } };
      const page = await kernel.scanBitmaps([segment], 512, {
        startBytes: 0,
        endBytes: 1 << 20,
        maxRanges: ALL,
      });
      expect(page.ranges).toEqual(Float64Array.of(263 * 512, 512));
    }
  });

  it('takes a Buffer and shared memory', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    shared[9] = 3;
    for (const bytes of [Buffer.from(shared), shared]) {
      const segment: BitmapSegment = { granularityBytes: 1024, bits: { kind: 'memory', bytes } };
      const page = await kernel.scanBitmaps([segment], 512, {
        startBytes: 0,
        endBytes: 1 << 20,
        maxRanges: ALL,
      });
      expect(page.ranges).toEqual(Float64Array.of(72 * 1024, 2048));
    }
  });

  it('takes 65535 segments', async () => {
    const many = Array.from({ length: 65535 }, (_, i) => memory(512, [i % 16]));
    const window = { startBytes: 0, endBytes: 1 << 20, maxRanges: ALL };
    expect((await kernel.scanBitmaps(many, 512, window)).ranges).toEqual(Float64Array.of(0, 8192));
  });

  it('answers a million ranges and pages through them', async () => {
    const bytes = new Uint8Array(262144).fill(0x55);
    const segment: BitmapSegment = { granularityBytes: 512, bits: { kind: 'memory', bytes } };
    const whole = { startBytes: 0, endBytes: bytes.length * 8 * 512, maxRanges: ALL };
    const page = await kernel.scanBitmaps([segment], 512, whole);
    expect(page.ranges.length).toBe(2 << 20);
    expect([...page.ranges.subarray(-4)]).toEqual([2097148 * 512, 512, 2097150 * 512, 512]);
    const paged = await allPages((w) => kernel.scanBitmaps([segment], 512, w), {
      ...whole,
      maxRanges: 300000,
    });
    expect(paged.pages).toBe(4);
    expect(Buffer.from(paged.page.ranges.buffer).equals(Buffer.from(page.ranges.buffer))).toBe(true);
  });
});
