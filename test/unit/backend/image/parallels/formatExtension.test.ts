import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BITMAP_MAGIC,
  EXTENSION_MAGIC,
  type HdsSpec,
  hashOf,
  writeHds,
} from '../../../../helpers/parallelsBuilder.js';
import { END, feature, good, ID, TINY } from '../../../../helpers/parallelsExtension.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { listRanges, openDisk, scratch } from './disks.js';

const padded = (data: Buffer, length: number): Buffer => Buffer.concat([data], length);

/** What is left for features in a cluster of 512 bytes, and after the head of the first. */
const ROOM = 512 - 24 - 24;

describe('a well-formed extension', () => {
  it('shows its bitmap, ready to read', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { ...TINY, features: [feature(good()), END] });
    const before = hashOf(path);
    const source = await openDisk(path);
    expect((await source.state()).layers).toEqual([
      {
        label: path,
        sizeBytes: 4096,
        format: 'parallels',
        bitmaps: [
          {
            name: ID,
            granularityBytes: 512,
            recording: true,
            inconsistent: false,
            persistent: true,
            busy: false,
          },
        ],
      },
    ]);
    expect(await listRanges(await source.bitmapRanges([{ layer: 0, name: ID }], 512), 4096)).toEqual([]);
    expect(hashOf(path)).toBe(before);
  });

  it('may hold nothing', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { ...TINY, features: [END] });
    const [layer] = (await (await openDisk(path)).state()).layers;
    expect(layer).toMatchObject({ bitmaps: [] });
    expect(layer).not.toHaveProperty('problem');
  });

  it('lies a whole number of clusters from the data offset, which old images put anywhere', async () => {
    const spec = { magic: 'WithoutFreeSpace', dataOff: 11, allocated: [0], bitmaps: [{ id: ID, bits: [2] }] };
    const { path, extensionOffset } = writeHds(join(scratch(), 'a.hds'), spec);
    expect(extensionOffset).toBe((11 + 2 * 8) * 512);
    const pager = await (await openDisk(path)).bitmapRanges([{ layer: 0, name: ID }], 512);
    expect(await listRanges(pager, 524_288)).toEqual([[2 * 65536, 65536]]);
  });

  it('lists several bitmaps', async () => {
    const ids = [ID, ID.replace('1', 'a'), ID.replace('1', 'b')];
    const bitmaps = ids.map((id, i) => ({ id, granularitySectors: 128, bits: [i] }));
    const { path } = writeHds(join(scratch(), 'a.hds'), { bitmaps });
    const source = await openDisk(path);
    expect((await source.state()).layers[0]!.bitmaps.map(({ name }) => name)).toEqual(ids);
    for (const [i, name] of ids.entries()) {
      const pager = await source.bitmapRanges([{ layer: 0, name }], 512);
      expect(await listRanges(pager, 524_288)).toEqual([[i * 65536, 65536]]);
    }
    const all = await source.bitmapRanges(
      ids.map((name) => ({ layer: 0, name })),
      512,
    );
    expect(await listRanges(all, 524_288)).toEqual([[0, 3 * 65536]]);
  });

  it.each([0n, 1n, 2n, 3n])('reads a bitmap with flags %i: they speak to writers', async (flags) => {
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      ...TINY,
      features: [feature(good([1]), { flags }), END],
    });
    const source = await openDisk(path);
    const pager = await source.bitmapRanges([{ layer: 0, name: ID }], 512);
    expect(await listRanges(pager, 4096)).toEqual([[0, 4096]]);
  });

  it.each([0n, 2n])('passes over a feature it does not know, flags %i', async (flags) => {
    const unknown = { magic: 0x1234n, flags, data: Buffer.alloc(13, 7) };
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      ...TINY,
      features: [unknown, feature(good([1])), END],
    });
    const source = await openDisk(path);
    const pager = await source.bitmapRanges([{ layer: 0, name: ID }], 512);
    expect(await listRanges(pager, 4096)).toEqual([[0, 4096]]);
  });
});

describe('damage to the extension costs all bitmaps, and nothing else', () => {
  // The first nine are what QEMU's own test of its parser tries; [features or spec], field, value, limit.
  const cases: [string, HdsSpec, string, string | number, string | number | RegExp][] = [
    [
      'a wrong magic',
      { features: [END], extensionMagic: EXTENSION_MAGIC ^ 1n },
      'Format Extension magic',
      '0xab234cef23dcea86',
      '0xab234cef23dcea87',
    ],
    [
      'a wrong checksum',
      { features: [END], checksum: Buffer.alloc(16) },
      'Format Extension m_CheckSum',
      '0'.repeat(32),
      /^[0-9a-f]{32}$/,
    ],
    [
      'an unknown feature flagged NECESSARY',
      { features: [{ magic: BITMAP_MAGIC ^ 1n, flags: 1n }, END] },
      'magic of feature 1, flagged NECESSARY',
      '0x20385fae252cb34b',
      /0x20385fae252cb34a/,
    ],
    [
      'flags on the end of features',
      { features: [{ magic: 0n, flags: 1n }] },
      'feature 1, the end of features',
      `0x${'00'.repeat(8)}01${'00'.repeat(15)}`,
      'all zero',
    ],
    [
      'data beyond the cluster',
      { features: [feature(Buffer.alloc(512))] },
      'data_size of feature 1',
      512,
      `at most ${ROOM}, the rest of the cluster`,
    ],
    [
      'data that leaves no room for the end',
      { features: [feature(padded(good(), ROOM))] },
      'end of the header of feature 2',
      536,
      /^at most 512/,
    ],
    [
      'a second feature beyond the cluster',
      { features: [feature(padded(good(), ROOM - 40)), feature(padded(good(), 40))] },
      'data_size of feature 2',
      40,
      'at most 16, the rest of the cluster',
    ],
    [
      'a cluster size beyond the file',
      { features: [END], extOff: 1_000_000 },
      'ext_off',
      1_000_000,
      /^1 to 1: a cluster between data_off/,
    ],
    [
      'an offset that wraps',
      { features: [END], extOff: 2n ** 64n - 1n },
      'ext_off',
      '18446744073709551615',
      /^1 to 1/,
    ],
    [
      'an offset inside the BAT',
      { features: [END], clusterSectors: 8, diskSectors: 1024, extOff: 1 },
      'ext_off',
      1,
      /^8 to 8/,
    ],
    [
      'an offset off the cluster',
      { features: [END], clusterSectors: 8, allocated: [0], extOff: 12 },
      'ext_off',
      12,
      /data_off 8 plus a multiple of 8/,
    ],
    [
      'a cluster that the file cuts off',
      { features: [END], clusterSectors: 8, fileBytes: 8191 },
      'ext_off',
      8,
      /^0: no cluster fits/,
    ],
    [
      'a data size that wraps when padded',
      { features: [feature(Buffer.alloc(0), { dataSize: 0xffff_ffff })] },
      'data_size of feature 1',
      0xffff_ffff,
      /at most 464/,
    ],
    [
      'flags nobody knows',
      { features: [feature(good(), { flags: 4n }), END] },
      'flags of feature 1',
      '0x4',
      'at most 0x3',
    ],
    [
      'a bitmap too short for its name',
      { features: [feature(good().subarray(0, 31)), END] },
      'data_size of dirty bitmap 1',
      31,
      'at least 32',
    ],
    [
      'no end of features',
      {
        features: [
          { magic: 1n, data: Buffer.alloc(440) },
          { magic: 1n, data: Buffer.alloc(0) },
        ],
      },
      'end of the header of feature 3',
      536,
      /^at most 512/,
    ],
  ];
  it.each(cases)('%s', async (_what, spec, field, value, limit) => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { ...TINY, ...spec });
    const before = hashOf(path);
    const source = await openDisk(path);
    const state = await source.state();
    expect(state.layers[0]!.bitmaps).toEqual([]);
    const { reason, message } = state.layers[0]!.problem!;
    expect(reason).toBe('FORMAT');
    expect(message).toBe(`${path}: ${field} is ${value}, must be ${/must be (.*)$/s.exec(message)![1]}`);

    const error = await refusalOf(source.bitmapRanges([{ layer: 0, name: ID }], 512));
    expect(['ERR_CBT_CORRUPT_IMAGE', 'ERR_CBT_TRACKING_LOST']).toContain(error.code);
    expect(error).toMatchObject({ reason: 'FORMAT', details: { field, value } });
    expect(error.message).toContain(message);
    expect(error.recovery).toBe('full');
    if (limit instanceof RegExp) expect(error.details['limit']).toMatch(limit);
    else expect(error.details['limit']).toBe(limit);

    // The disk's data is not in doubt: the full backup that is the way out can ask for it.
    await listRanges(await source.allocatedRanges(), state.sizeBytes);
    expect(hashOf(path)).toBe(before);
  });

  it.each([65_535, 65_536])(
    '%i bitmaps: the last number that is read, the first that is not',
    async (count) => {
      const features = Array.from({ length: count }, (_, i) =>
        feature(good([], 1, i.toString(16).padStart(32, '0'))),
      );
      const spec = { clusterSectors: 8192, diskSectors: 8, features: [...features, END] };
      const { path } = writeHds(join(scratch(), 'a.hds'), spec);
      const [layer] = (await (await openDisk(path)).state()).layers;
      expect(layer!.bitmaps).toHaveLength(count === 65_535 ? count : 0);
      expect(layer!.problem?.message).toBe(
        count === 65_535 ? undefined : `${path}: count of dirty bitmaps is 65536, must be at most 65535`,
      );
    },
  );

  it('a cluster too large to hold in memory', async () => {
    const spec = { clusterSectors: 2 ** 18, diskSectors: 2 ** 20, extOff: 2 ** 18, fileBytes: 2 ** 28 };
    const { path } = writeHds(join(scratch(), 'a.hds'), spec);
    const { problem } = (await (await openDisk(path)).state()).layers[0]!;
    expect(problem!.message).toMatch(/cluster size .* is 134217728, must be at most 67108864 bytes/);
  });
});
