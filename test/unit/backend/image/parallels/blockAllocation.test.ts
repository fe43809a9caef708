import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HdsSpec, hashOf, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { listRanges, openDisk, scratch } from './disks.js';

const OLD = 'WithoutFreeSpace';

/** By the definition: a byte is data when the entry of its cluster is not 0. */
function expected(
  allocated: readonly number[],
  clusterBytes: number,
  from: number,
  until: number,
): [number, number][] {
  const pairs: [number, number][] = [];
  for (const cluster of [...allocated].sort((a, b) => a - b)) {
    const start = Math.max(from, cluster * clusterBytes);
    const end = Math.min(until, (cluster + 1) * clusterBytes);
    if (end <= start) continue;
    const last = pairs.at(-1);
    if (last !== undefined && last[0] + last[1] === start) last[1] += end - start;
    else pairs.push([start, end - start]);
  }
  return pairs;
}

describe('the allocated map', () => {
  it('lists allocated clusters in any window, in pages of any size, for both magics', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          magic: fc.constantFrom(OLD, 'WithouFreSpacExt'),
          clusterSectors: fc.constantFrom(1, 3, 8, 63),
          diskSectors: fc.integer({ min: 1, max: 2000 }),
        }),
        fc.array(fc.nat(2000), { maxLength: 60 }),
        fc.tuple(fc.nat(), fc.nat()),
        fc.constantFrom(1, 2, 3, 7, Number.POSITIVE_INFINITY),
        async (shape, picks, cuts, maxRanges) => {
          const folder = scratch();
          const clusters = Math.ceil(shape.diskSectors / shape.clusterSectors);
          const allocated = [...new Set(picks.map((pick) => pick % clusters))];
          const { path } = writeHds(join(folder, 'a.hds'), { ...shape, allocated });
          const source = await openDisk(path);
          const sizeBytes = shape.diskSectors * 512;
          const [startBytes, endBytes] = cuts.map((cut) => cut % (sizeBytes + 1)).sort((a, b) => a - b) as [
            number,
            number,
          ];
          const pager = await source.allocatedRanges();
          const found: [number, number][] = [];
          for (let at = startBytes; at < endBytes; ) {
            const page = await pager.page({ startBytes: at, endBytes, maxRanges });
            expect(page.ranges.length / 2).toBeLessThanOrEqual(maxRanges);
            for (let i = 0; i < page.ranges.length; i += 2)
              found.push([page.ranges[i]!, page.ranges[i + 1]!]);
            expect(page.nextBytes).toBeGreaterThan(at);
            at = page.nextBytes;
          }
          expect(found).toEqual(expected(allocated, shape.clusterSectors * 512, startBytes, endBytes));
          await source.close();
        },
      ),
      { numRuns: 150 },
    );
  });

  it('crosses the borders of its own reads', async () => {
    // 65,536 entries are read at a time; the disk has three such chunks and a bit.
    const clusters = 3 * 65_536 + 5;
    const allocated = [0, 65_534, 65_535, 65_536, 65_537, 131_071, 131_073, clusters - 1];
    const spec = { clusterSectors: 1, diskSectors: clusters, allocated };
    const { path } = writeHds(join(scratch(), 'a.hds'), spec);
    const source = await openDisk(path);
    const whole = expected(allocated, 512, 0, clusters * 512);
    for (const maxRanges of [1, 2, 100])
      expect(await listRanges(await source.allocatedRanges(), clusters * 512, maxRanges)).toEqual(whole);
  });

  it('reads a table of 256 MiB of holes in bounded memory', async () => {
    const batEntries = 2 ** 26;
    const dataOff = Math.ceil((64 + 4 * batEntries) / 512);
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      clusterSectors: 1,
      batEntries,
      diskSectors: batEntries,
      dataOff,
      fileBytes: (dataOff + 1) * 512,
      bat: new Map([[batEntries - 1, dataOff]]),
    });
    const source = await openDisk(path);
    const before = process.memoryUsage().rss;
    expect(await listRanges(await source.allocatedRanges(), batEntries * 512)).toEqual([
      [(batEntries - 1) * 512, 512],
    ]);
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20);
  });

  it('believes the table and not the flag for an empty image', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { flags: 1, allocated: [3] });
    expect(await listRanges(await (await openDisk(path)).allocatedRanges(), 524_288)).toEqual([
      [3 * 4096, 4096],
    ]);
  });

  it('clips the last cluster at the end of the disk', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { diskSectors: 1021, allocated: [127] });
    expect(await listRanges(await (await openDisk(path)).allocatedRanges(), 1021 * 512)).toEqual([
      [127 * 4096, 5 * 512],
    ]);
  });

  it('stops when told to', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { allocated: [3] });
    const pager = await (await openDisk(path)).allocatedRanges();
    const window = { startBytes: 0, endBytes: 4096, maxRanges: 1, signal: AbortSignal.abort() };
    expect((await refusalOf(pager.page(window))).code).toBe('ERR_CBT_ABORTED');
  });

  const wrong: [string, HdsSpec, number, string][] = [
    [
      'an entry past the end of the file',
      { bat: new Map([[5, 3]]) },
      3,
      '0, or 1 to 1, between data_off and the end of the file (8192 bytes)',
    ],
    [
      'an entry far past it',
      { bat: new Map([[5, 0xffff_ffff]]) },
      0xffff_ffff,
      '0, or 1 to 1, between data_off and the end of the file (8192 bytes)',
    ],
    [
      'an entry inside the table',
      { clusterSectors: 1, bat: new Map([[5, 1]]) },
      1,
      '0, or 9 to 9, between data_off and the end of the file (5120 bytes)',
    ],
    [
      'an old entry inside the table',
      { magic: OLD, bat: new Map([[5, 7]]) },
      7,
      '0, or 8 to 15, between data_off and the end of the file (8192 bytes)',
    ],
    [
      'an old entry at the end of the file',
      { magic: OLD, bat: new Map([[5, 16]]) },
      16,
      '0, or 8 to 15, between data_off and the end of the file (8192 bytes)',
    ],
  ];
  it.each(wrong)('refuses %s', async (_what, spec, value, limit) => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { allocated: [0], ...spec });
    const before = hashOf(path);
    const error = await refusalOf(async () =>
      listRanges(await (await openDisk(path)).allocatedRanges(), 524_288),
    );
    expect(error).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'BAT entry 5', value, limit },
    });
    expect(hashOf(path)).toBe(before);
  });
});
