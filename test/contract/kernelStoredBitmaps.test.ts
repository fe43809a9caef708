/** Dirty bitmaps in the clusters of a file to ranges and counts: what every kernel must answer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BitmapSegment, StoredBits } from '../../lib/core/bitmapKernel.js';
import { MAX_DISK_BYTES } from '../../lib/core/rangePage.js';
import { ALL, GIB, TIB } from '../helpers/bitmapSegments.js';
import { kernels } from '../helpers/kernels.js';
import { allPages, bitsOf } from '../helpers/shadow.js';
import { ScratchFile, storeBits } from '../helpers/storedBits.js';

const KIB = 1024;

/** Stands in a table of cases for the offset of the cluster with bit 9 set, known only when the file is written. */
const oneBitMark = -1;

describe.each(kernels)('$label: bitmaps in clusters', ({ kernel }) => {
  let file: ScratchFile;
  let oneBit: number;
  let stripes: number;
  beforeAll(async () => {
    file = await ScratchFile.make();
    oneBit = await file.put(bitsOf(4096, (bit) => bit === 9));
    stripes = await file.put(bitsOf(4096, (bit) => bit % 1024 < 512));
  });
  afterAll(() => file.remove());

  /** Clusters of 512 bytes: 4096 bits each, 2 MiB of disk at a granularity of 512. */
  const stored = (table: readonly number[], granularityBytes = 512): BitmapSegment => ({
    granularityBytes,
    bits: { kind: 'stored', fd: file.fd, clusterBytes: 512, table: Float64Array.from(table) },
  });
  const scan = async (
    segments: readonly BitmapSegment[],
    startBytes: number,
    endBytes: number,
    maxRanges = ALL,
    granularityBytes = 512,
  ) => {
    const page = await kernel.scanBitmaps(segments, granularityBytes, { startBytes, endBytes, maxRanges });
    return [...page.ranges];
  };
  const MIB = 1 << 20;

  it('reads clean, dirty and stored clusters in any order', async () => {
    const segment = stored([1, 0, oneBit, stripes, 1, 1, 0, oneBit]);
    const ranges = [
      ...[0, 2 * MIB],
      ...[4 * MIB + 9 * 512, 512],
      ...[6 * MIB, 256 * KIB, 6.5 * MIB, 256 * KIB, 7 * MIB, 256 * KIB, 7.5 * MIB, 256 * KIB],
      ...[8 * MIB, 4 * MIB],
      ...[14 * MIB + 9 * 512, 512],
    ];
    expect(await scan([segment], 0, 16 * MIB)).toEqual(ranges);
    expect(await scan([segment], 4 * MIB + 9 * 512 + 1, 6 * MIB + 1)).toEqual([
      4 * MIB + 4609,
      511,
      6 * MIB,
      1,
    ]);
    const pages = await allPages((w) => kernel.scanBitmaps([segment], 512, w), {
      startBytes: 0,
      endBytes: 16 * MIB,
      maxRanges: 2,
    });
    expect([...pages.page.ranges]).toEqual(ranges);
    expect(await kernel.countBitmaps([segment], 512, { startBytes: 0, endBytes: 16 * MIB })).toBe(
      7 * MIB + 1024,
    );
  });

  it('takes clusters past the table for clean, and table entries past the disk for nothing', async () => {
    expect(await scan([stored([oneBit])], 0, 64 * MIB)).toEqual([4608, 512]);
    expect(await scan([stored([0, 1, 1, 1])], 0, 2 * MIB + 5)).toEqual([2 * MIB, 5]);
    expect(await scan([stored([])], 0, 64 * MIB)).toEqual([]);
  });

  it('joins ranges across clusters and segments', async () => {
    const left = stored([1, 0, 0, stripes]);
    const right = stored([0, 1, stripes, 0]);
    expect(await scan([left, right], 0, 4.5 * MIB)).toEqual([0, 4.25 * MIB]);
    expect(await scan([left, right], 0, 8 * MIB, ALL, 1 * MIB)).toEqual([0, 8 * MIB]);
  });

  it('widens stored bits of several granularities', async () => {
    const fine = stored([0, oneBit]);
    const coarse = stored([oneBit], 65536);
    expect(await scan([fine, coarse], 0, 1 << 30)).toEqual([9 * 65536, 65536, 2 * MIB, 65536]);
    expect(await scan([stored([oneBit], 2 * GIB), fine], 0, 32 * GIB)).toEqual([
      0,
      2 * GIB,
      18 * GIB,
      2 * GIB,
    ]);
  });

  it.each<[string, number[], number[]]>([
    ['a clean and a stored cluster', [0, oneBitMark], [0, 4]],
    ['a stored and a clean cluster', [oneBitMark, 0], [0, 4]],
    ['a clean and a dirty cluster', [0, 1], [0, 4]],
    ['a dirty and a clean cluster', [1, 0], [0, 4]],
    ['two clean clusters and a dirty one', [0, 0, 1], [4, 4]],
    ['three clean clusters and a stored one', [0, 0, 0, oneBitMark, 0, 0], [4, 4]],
    ['a dirty cluster and three clean ones, then a dirty one', [1, 0, 0, 0, 1], [0, 4, 8, 4]],
    ['stored clusters, then a dirty and a clean one', [oneBitMark, oneBitMark, 1, 0], [0, 8]],
    ['stored clusters, then a clean and a dirty one', [oneBitMark, oneBitMark, 0, 1], [0, 8]],
  ])('widens over the border of %s', async (_, marks, mebibytes) => {
    const table = marks.map((mark) => (mark === oneBitMark ? oneBit : mark));
    const ranges = mebibytes.map((value) => value * MIB);
    // Granules of 4 MiB hold two clusters of the bitmap.
    expect(await scan([stored(table)], 0, 64 * MIB, ALL, 4 * MIB)).toEqual(ranges);
    // Beside a bitmap that must be read, the tables alone do not answer.
    const beside = stored([oneBit], 4 * MIB);
    expect(await scan([stored(table), beside], 0, 64 * MIB, ALL, 4 * MIB)).toEqual([
      ...ranges,
      36 * MIB,
      4 * MIB,
    ]);
    expect(await kernel.countBitmaps([stored(table)], 4 * MIB, { startBytes: 0, endBytes: 64 * MIB })).toBe(
      ranges.filter((_value, i) => i % 2 === 1).reduce((sum, length) => sum + length, 0),
    );
  });

  it('takes clusters that are no power of two', async () => {
    const bits = bitsOf(4096 * 9, (bit) => bit % 5000 === 4999);
    const bytes = await storeBits(file, bits, 1536);
    const segment: BitmapSegment = { granularityBytes: 512, bits: bytes };
    const memoryTwin: BitmapSegment = { granularityBytes: 512, bits: { kind: 'memory', bytes: bits } };
    expect(await scan([segment], 0, 18 * MIB)).toEqual(await scan([memoryTwin], 0, 18 * MIB));
    expect(await scan([segment], 0, 18 * MIB)).toHaveLength(2 * 7);
  });

  it('answers for 64 TiB that is all clean, all dirty, or dirty in its last granule, without reading', async () => {
    const table = (fill: number) => new Float64Array(262144).fill(fill);
    const huge = (entries: Float64Array): BitmapSegment => ({
      granularityBytes: 512,
      bits: { kind: 'stored', fd: file.fd, clusterBytes: 65536, table: entries },
    });
    const before = process.memoryUsage().rss;
    expect(await scan([huge(table(0)), huge(table(0))], 0, 64 * TIB)).toEqual([]);
    expect(await scan([huge(table(0)), huge(table(1))], 0, 64 * TIB)).toEqual([0, 64 * TIB]);
    expect(await kernel.countBitmaps([huge(table(1))], 512, { startBytes: 1, endBytes: 64 * TIB })).toBe(
      64 * TIB - 1,
    );
    const last = table(0);
    last[262143] = await file.put(bitsOf(65536 * 8, (bit) => bit === 65536 * 8 - 1));
    expect(await scan([huge(last)], 0, 64 * TIB)).toEqual([64 * TIB - 512, 512]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB);
  });

  it('answers next to 2^53 from clusters', async () => {
    const table = new Float64Array(1024); // 2^22 bits of 2 GiB each
    table[1023] = oneBit;
    const segment: BitmapSegment = {
      granularityBytes: 2 * GIB,
      bits: { kind: 'stored', fd: file.fd, clusterBytes: 512, table },
    };
    const at = (1023 * 4096 + 9) * 2 * GIB;
    expect(await scan([segment], 0, MAX_DISK_BYTES)).toEqual([at, 2 * GIB]);
    table[1023] = 1;
    expect(await scan([segment], 1, MAX_DISK_BYTES)).toEqual([
      1023 * 4096 * 2 * GIB,
      MAX_DISK_BYTES - 1023 * 4096 * 2 * GIB,
    ]);
  });

  it('refuses a cluster that reaches past the end of the file where the window needs it', async () => {
    const short = await ScratchFile.make();
    try {
      const offset = await short.put(bitsOf(800, (bit) => bit === 9)); // 100 of 512 bytes
      const bits: StoredBits = {
        kind: 'stored',
        fd: short.fd,
        clusterBytes: 512,
        table: Float64Array.of(0, offset),
      };
      const segment: BitmapSegment = { granularityBytes: 512, bits };
      const beyond: BitmapSegment = {
        granularityBytes: 512,
        bits: { ...bits, table: Float64Array.of(0, 1 << 20) },
      };
      // The bytes that are there are enough for a disk that ends with them.
      expect(await scan([segment], 0, 2 * MIB + 800 * 512)).toEqual([2 * MIB + 9 * 512, 512]);
      await expect(scan([segment], 0, 2 * MIB + 801 * 512)).rejects.toMatchObject({
        code: 'ERR_CBT_CORRUPT_IMAGE',
      });
      await expect(scan([segment], 0, 2 * MIB + 800 * 512, ALL, 1 << 20)).rejects.toMatchObject({
        code: 'ERR_CBT_CORRUPT_IMAGE',
      });
      await expect(scan([beyond], 0, 4 * MIB)).rejects.toThrow(/past the end of the file/);
      await expect(
        kernel.countBitmaps([beyond], 512, { startBytes: 0, endBytes: 4 * MIB }),
      ).rejects.toMatchObject({ code: 'ERR_CBT_CORRUPT_IMAGE' });
      // What the window does not need may be anywhere.
      expect(await scan([beyond], 0, 2 * MIB)).toEqual([]);
    } finally {
      await short.remove();
    }
  });

  it.each([Number.NaN, -1, -512, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, MAX_DISK_BYTES - 100])(
    'refuses table entry %s',
    async (entry) => {
      await expect(scan([stored([0]), stored([0, 1, entry])], 0, 16 * MIB)).rejects.toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
        details: { argument: 'segments[1].bits.table[2]' },
      });
    },
  );

  it('says that a descriptor cannot be read', async () => {
    const segment: BitmapSegment = {
      granularityBytes: 512,
      bits: { kind: 'stored', fd: 2 ** 20, clusterBytes: 512, table: Float64Array.of(512) },
    };
    await expect(scan([segment], 0, MIB)).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { errno: 'EBADF' },
    });
  });
});
