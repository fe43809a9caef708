import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashOf, OPEN_FOR_WRITE, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { changed, ID, KIB64, kernelWith, listRanges, openDisk, scratch, stateOf } from './disks.js';

describe('changed since a point in time', () => {
  it('reads a disk that ends inside a granule: the last range is as short as the disk', async () => {
    // Measured with QEMU 7.2: these bits, and a last extent of 2560 bytes.
    const bits = [0, 1, 9, 63, 64, 130, 200];
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      clusterSectors: 2048,
      diskSectors: 200 * 128 + 5,
      bitmaps: [{ id: ID, bits }],
    });
    const before = hashOf(path);
    expect(await changed(path)).toEqual([
      [0, 2 * KIB64],
      [9 * KIB64, KIB64],
      [63 * KIB64, 2 * KIB64],
      [130 * KIB64, KIB64],
      [200 * KIB64, 2560],
    ]);
    expect(hashOf(path)).toBe(before);
  });

  it('reads an L1 of "clean, dirty": the upper half of 64 GiB', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      clusterSectors: 128,
      diskSectors: 2 ** 27,
      bitmaps: [{ id: ID, l1: [0, 1] }],
    });
    expect(await changed(path)).toEqual([[2 ** 35, 2 ** 35]]);
  });

  it('reads the image of QEMU’s own test: 64 KiB granules 5-6, 10-12 and 30 of 64 GiB', async () => {
    const id = 'e4f2eed0-37fe-4539-b50b-85d2e7fd235f';
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      clusterSectors: 2048,
      diskSectors: 2 ** 27,
      bitmaps: [{ id, bits: [5, 6, 10, 11, 12, 30] }],
    });
    const pager = await (await openDisk(path)).bitmapRanges([{ layer: 0, name: id }], 512);
    expect(await listRanges(pager, 64 * KIB64)).toEqual([
      [5 * KIB64, 2 * KIB64],
      [10 * KIB64, 3 * KIB64],
      [30 * KIB64, KIB64],
    ]);
  });

  it('takes an empty L1, which ploop writes for a bitmap just started, as all clean', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { bitmaps: [{ id: ID, l1: [] }] });
    expect(await changed(path)).toEqual([]);
  });

  it('takes a point in any spelling of its UUID', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { bitmaps: [{ id: ID, bits: [3] }] });
    for (const from of [ID, `{${ID}}`, ID.toUpperCase(), ID.replaceAll('-', '')])
      expect(await changed(path, from)).toEqual([[3 * KIB64, KIB64]]);
  });

  it('reads clusters of bits whose size is no power of two', async () => {
    const clusterSectors = 63;
    const perCluster = clusterSectors * 512 * 8;
    const bits = [0, perCluster - 1, perCluster, perCluster + 7, 2 * perCluster + 1];
    const diskSectors = 2 * perCluster + 5;
    const bitmaps = [{ id: ID, granularitySectors: 1, bits }];
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      magic: 'WithoutFreeSpace',
      clusterSectors,
      diskSectors,
      bitmaps,
    });
    expect(await changed(path)).toEqual([
      [0, 512],
      [(perCluster - 1) * 512, 1024],
      [(perCluster + 7) * 512, 512],
      [(2 * perCluster + 1) * 512, 512],
    ]);
  });

  it('does not know a point that is not there', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { bitmaps: [{ id: ID }] });
    const other = ID.replace('0', 'f');
    expect(await refusalOf(changed(path, other))).toMatchObject({
      code: 'ERR_CBT_UNKNOWN_PIT',
      reason: 'UNKNOWN_PIT',
    });
    const error = await refusalOf(async () =>
      (await openDisk(path)).bitmapRanges([{ layer: 0, name: other }], 512),
    );
    expect(error).toMatchObject({ code: 'ERR_CBT_UNKNOWN_PIT', disk: path });
  });
});

describe('whether the bitmaps may be believed', () => {
  const cases: [string, number, string, RegExp][] = [
    [
      'an older program closed it',
      0,
      'MISSING',
      /in_use is 0x0, must be 0x312e3276: the image was last closed by software that does not keep bitmaps up/,
    ],
    [
      'nobody closed it',
      OPEN_FOR_WRITE,
      'CRASHED',
      /in_use is 0x746f6e59, must be 0x312e3276: the image was not closed/,
    ],
    ['in_use is nothing the format knows', 7, 'FORMAT', /in_use is 0x7, must be 0x312e3276, 0 or 0x746f6e59/],
  ];
  it.each(cases)('not when %s', async (_what, inUse, reason, message) => {
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      inUse,
      allocated: [1],
      bitmaps: [{ id: ID, bits: [3] }],
    });
    const before = hashOf(path);
    const source = await openDisk(path);
    const [layer] = (await source.state()).layers;
    expect(layer!.problem).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(layer!.bitmaps).toMatchObject([{ name: ID, inconsistent: inUse === OPEN_FOR_WRITE }]);
    expect(await refusalOf(source.bitmapRanges([{ layer: 0, name: ID }], 512))).toMatchObject({
      code: 'ERR_CBT_TRACKING_LOST',
      reason,
      message: expect.stringMatching(message),
    });
    expect(await refusalOf(changed(path))).toMatchObject({
      code: 'ERR_CBT_TRACKING_LOST',
      reason,
      recovery: 'full',
    });
    // The way out is a full backup, so what holds data is still told.
    expect(await listRanges(await source.allocatedRanges(), 524_288)).toEqual([[4096, 4096]]);
    expect(hashOf(path)).toBe(before);
  });

  it('says so even where the extension is gone, or its remains are damaged', async () => {
    for (const spec of [{}, { bitmaps: [{}], checksum: Buffer.alloc(16) }, { extOff: 10 ** 6 }]) {
      const { path } = writeHds(join(scratch(), 'a.hds'), { ...spec, inUse: OPEN_FOR_WRITE });
      expect((await stateOf(path)).layers[0]).toMatchObject({ problem: { reason: 'CRASHED' }, bitmaps: [] });
    }
    const { path } = writeHds(join(scratch(), 'a.hds'), { inUse: 0, extOff: 10 ** 6 });
    expect((await stateOf(path)).layers[0]).toMatchObject({ problem: { reason: 'MISSING' }, bitmaps: [] });
  });

  it('an older program’s image that never had bitmaps has no problem', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { inUse: 0 });
    expect((await stateOf(path)).layers[0]).not.toHaveProperty('problem');
    expect((await refusalOf(changed(path))).reason).toBe('UNKNOWN_PIT');
  });

  it.each([0x312e3276, OPEN_FOR_WRITE])(
    'busy while a writer holds it, in_use %i: the truth is in its memory',
    async (inUse) => {
      const { path } = writeHds(join(scratch(), 'a.hds'), { inUse, bitmaps: [{ id: ID }] });
      const source = await openDisk(path, kernelWith({ writer: true }));
      for (const ask of [
        () => source.state(),
        () => source.allocatedRanges(),
        () => source.bitmapRanges([{ layer: 0, name: ID }], 512),
      ]) {
        const error = await refusalOf(ask);
        expect(error).toMatchObject({
          code: 'ERR_CBT_BACKEND_UNAVAILABLE',
          reason: 'BUSY',
          disk: path,
          recovery: 'retry',
        });
        expect(error.message).toContain('qmp:<socket>#<disk>');
      }
    },
  );

  it('a reader that keeps writers out is no hindrance', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { bitmaps: [{ id: ID }] });
    const source = await openDisk(path, kernelWith({ writersForbidden: true }));
    expect((await source.state()).layers[0]!.bitmaps).toHaveLength(1);
  });
});
