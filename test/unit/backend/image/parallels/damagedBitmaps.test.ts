/** Damage to one bitmap of a Parallels image costs that bitmap alone. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bitmapData, hashOf, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { END, feature, good, ID, TINY } from '../../../../helpers/parallelsExtension.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { listRanges, openDisk, scratch } from './disks.js';

describe('damage to one bitmap costs that bitmap alone', () => {
  const NEIGHBOUR = 'aaaa2222-3333-4444-5555-666677778888';
  const bitmap = (spec: Parameters<typeof bitmapData>[0], l1: (number | bigint)[] = [0]): Buffer =>
    bitmapData({ id: ID, granularitySectors: 1, ...spec }, 8n, l1);

  // The first five are QEMU's; it refuses the whole image.
  const cases: [string, Buffer, string, string | number, string | number | RegExp][] = [
    [
      'granularity 0',
      bitmap({ granularitySectors: 0 }),
      'granularity in sectors',
      0,
      'a power of two from 1 to 4194304',
    ],
    [
      'granularity 3',
      bitmap({ granularitySectors: 3 }),
      'granularity in sectors',
      3,
      'a power of two from 1 to 4194304',
    ],
    [
      'granularity 2^23',
      bitmap({ granularitySectors: 2 ** 23 }),
      'granularity in sectors',
      2 ** 23,
      'a power of two from 1 to 4194304',
    ],
    [
      'granularity 2^31',
      bitmap({ granularitySectors: 2 ** 31 }),
      'granularity in sectors',
      2 ** 31,
      'a power of two from 1 to 4194304',
    ],
    ['an L1 entry that wraps', bitmap({}, [2n ** 64n - 1n]), 'L1 entry 0', '18446744073709551615', /^1 to 2/],
    ['an L1 entry past the file', bitmap({}, [3]), 'L1 entry 0', 3, /^1 to 2/],
    [
      'an L1 entry on the extension itself',
      bitmap({}, [2]),
      'L1 entry 0',
      2,
      'a cluster that nothing else of the extension uses',
    ],
    ['another size', bitmap({ sizeSectors: 9 }), 'bitmap size in sectors', 9, '8, the size of the disk'],
    [
      'two L1 entries for one',
      bitmap({}, [0, 1]),
      'l1_size',
      2,
      /^1 for 8 bits in clusters of 512 bytes, or 0/,
    ],
    [
      'an L1 longer than its data',
      bitmap({ l1Size: 1 }, []),
      'l1_size',
      1,
      'at most 0, what data_size 32 can hold',
    ],
    [
      'an L1 that cannot be counted',
      bitmap({ l1Size: 0xffff_ffff }),
      'l1_size',
      0xffff_ffff,
      /^1 for 8 bits/,
    ],
  ];
  it.each(cases)('%s', async (_what, data, field, value, limit) => {
    const features = [feature(data), feature(good([1], 1, NEIGHBOUR)), END];
    const { path } = writeHds(join(scratch(), 'a.hds'), { ...TINY, allocated: [0], features });
    const before = hashOf(path);
    const source = await openDisk(path);
    const [layer] = (await source.state()).layers;
    expect(layer).not.toHaveProperty('problem');
    expect(layer!.bitmaps.map(({ name }) => name)).toEqual([ID, NEIGHBOUR]);
    const { reason, message } = layer!.bitmaps[0]!.problem!;
    const reasons: Record<string, string> = {
      'bitmap size in sectors': 'SIZE',
      'granularity in sectors': 'GRANULARITY',
    };
    expect(reason).toBe(reasons[field] ?? 'FORMAT');
    expect(message).toContain(`${path}, bitmap ${ID}: ${field} is ${value}, must be `);

    const error = await refusalOf(source.bitmapRanges([{ layer: 0, name: ID }], 512));
    expect(error).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      reason,
      message,
      details: { field, value },
    });
    if (limit instanceof RegExp) expect(error.details['limit']).toMatch(limit);
    else expect(error.details['limit']).toBe(limit);

    const pager = await source.bitmapRanges([{ layer: 0, name: NEIGHBOUR }], 512);
    expect(await listRanges(pager, 4096)).toEqual([[0, 4096]]);
    expect(hashOf(path)).toBe(before);
  });

  it('an L1 table that ends before the disk does', async () => {
    // 8192 bits in clusters of 512 bytes: two entries.
    const features = [feature(bitmapData({ id: ID, granularitySectors: 1 }, 8192n, [1])), END];
    const { path } = writeHds(join(scratch(), 'a.hds'), { clusterSectors: 1, diskSectors: 8192, features });
    const error = await refusalOf((await openDisk(path)).bitmapRanges([{ layer: 0, name: ID }], 512));
    expect(error.details).toMatchObject({
      field: 'l1_size',
      value: 1,
      limit: expect.stringMatching(/^2 for 8192 bits/),
    });
  });

  it('two bitmaps of one id: neither can be told from the other', async () => {
    const features = [feature(good([0])), feature(good([1])), feature(good([1], 1, NEIGHBOUR)), END];
    const { path } = writeHds(join(scratch(), 'a.hds'), { ...TINY, features });
    const source = await openDisk(path);
    const { bitmaps } = (await source.state()).layers[0]!;
    expect(bitmaps.map(({ problem }) => problem?.message.replace(/^.*: /, ''))).toEqual([
      'bitmaps with this id is 2, must be 1',
      'bitmaps with this id is 2, must be 1',
      undefined,
    ]);
    expect((await refusalOf(source.bitmapRanges([{ layer: 0, name: ID }], 512))).reason).toBe('FORMAT');
  });

  it('two bitmaps that share a cluster: the second is refused', async () => {
    const shared = [feature(bitmap({}, [1 + 1])), feature(bitmap({ id: NEIGHBOUR }, [1 + 1])), END];
    const { path } = writeHds(join(scratch(), 'a.hds'), { ...TINY, allocated: [0, 1], features: shared });
    const { bitmaps } = (await (await openDisk(path)).state()).layers[0]!;
    expect(bitmaps[0]!.problem).toBeUndefined();
    expect(bitmaps[1]!.problem!.message).toMatch(/L1 entry 0 is 2, must be a cluster that nothing else/);
  });

  it.each([
    [8, false],
    [9, true],
    [15, true],
    [16, true],
    [17, true],
    [23, true],
    [24, false],
  ])('guest data at sector %i of an old image, the bitmap at 16: overlap %s', async (entry, overlaps) => {
    const { path, bitmapClusters } = writeHds(join(scratch(), 'a.hds'), {
      magic: 'WithoutFreeSpace',
      allocated: [0],
      bat: new Map([[5, entry]]),
      bitmaps: [{ id: ID, bits: [1] }],
    });
    expect(bitmapClusters).toEqual([16 * 512]);
    const asked = (await openDisk(path)).bitmapRanges([{ layer: 0, name: ID }], 512);
    if (overlaps)
      expect((await refusalOf(asked)).details).toMatchObject({ field: 'BAT entry 5', value: entry });
    else await asked;
  });

  it('a bitmap cluster that guest data also claims', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      ...TINY,
      allocated: [0, 1, 5],
      features: [feature(bitmap({}, [3])), END],
    });
    const source = await openDisk(path);
    const error = await refusalOf(source.bitmapRanges([{ layer: 0, name: ID }], 512));
    expect(error).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      reason: 'FORMAT',
      details: { field: 'BAT entry 5', value: 3, limit: 'a cluster clear of every bitmap' },
    });
  });
});
