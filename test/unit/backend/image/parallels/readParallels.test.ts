import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../../lib/backend/image/imageSource.js';
import { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import {
  hashOf,
  type ImageSpec,
  OPEN_FOR_WRITE,
  TOP_GUID,
  writeHdd,
  writeHds,
} from '../../../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { kernelWith, listRanges, openDisk, scratch, stateOf } from './disks.js';

const ID = '00112233-4455-6677-8899-aabbccddeeff';
const KIB64 = 65_536;
const changed = async (path: string, from = ID): Promise<[number, number][]> => {
  const source = await openDisk(path);
  const map = await new TrackedDisk(source, kernelWith()).changes({ from });
  return pairs(await map.ranges());
};
const pairs = (flat: Float64Array): [number, number][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);

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
      fullBackupNeeded: true,
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
          fullBackupNeeded: false,
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

describe('a stack of images', () => {
  const [ROOT, MIDDLE] = ['{11111111-0000-4000-8000-000000000000}', '{22222222-0000-4000-8000-000000000000}'];
  const images: ImageSpec[] = [
    { guid: TOP_GUID, file: 'top.hds', parent: MIDDLE },
    { guid: MIDDLE, file: 'middle.hds', parent: ROOT },
    { guid: ROOT, file: 'root.hds' },
  ];
  const OLDER = ID.replace('0', 'a');

  function writeStack(): string {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { images });
    writeHds(join(folder, 'root.hds'), { allocated: [0, 1, 50], bitmaps: [{ id: OLDER, bits: [7] }] });
    writeHds(join(folder, 'middle.hds'), { allocated: [2, 50, 51] });
    writeHds(join(folder, 'top.hds'), { allocated: [100], bitmaps: [{ id: ID, bits: [6] }] });
    return folder;
  }

  it('has a layer for each image, top first, and all of their data', async () => {
    const source = await openDisk(writeStack());
    const { layers } = await source.state();
    expect(layers.map(({ label }) => label.replace(/^.*\//, ''))).toEqual([
      'top.hds',
      'middle.hds',
      'root.hds',
    ]);
    expect(layers.map(({ bitmaps }) => bitmaps.map(({ name }) => name))).toEqual([[ID], [], [OLDER]]);
    const shown = async (layers?: number) => listRanges(await source.allocatedRanges(layers), 524_288, 1);
    const clusters = (...runs: [number, number][]) => runs.map(([at, n]) => [at * 4096, n * 4096]);
    expect(await shown()).toEqual(clusters([0, 3], [50, 2], [100, 1]));
    expect(await shown(0)).toEqual([]);
    expect(await shown(1)).toEqual(clusters([100, 1]));
    expect(await shown(2)).toEqual(clusters([2, 1], [50, 2], [100, 1]));
    expect(await shown(3)).toEqual(clusters([0, 3], [50, 2], [100, 1]));
    expect((await refusalOf(shown(4))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
  });

  it('is opened by its descriptor as by its folder', async () => {
    const folder = writeStack();
    const source = await openImage(join(folder, 'DiskDescriptor.xml'), { kernel: kernelWith() });
    expect((await source.state()).layers.map(({ format }) => format)).toEqual([
      'parallels',
      'parallels',
      'parallels',
    ]);
    await source.close();
  });

  it('answers for the top’s own point from its bitmap, for an older one with all that the layers above hold', async () => {
    const folder = writeStack();
    expect(await changed(folder)).toEqual([[6 * KIB64, KIB64]]);
    expect(await changed(folder, OLDER)).toEqual([
      [2 * 4096, 4096],
      [50 * 4096, 2 * 4096],
      [100 * 4096, 4096],
      [7 * KIB64, KIB64],
    ]);
  });

  it('adds what an overlay holds past the end of a smaller image below', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), {
      images: [images[2]!, { guid: TOP_GUID, file: 'top.hds', parent: ROOT }],
      diskSectors: 2048,
    });
    writeHds(join(folder, 'root.hds'), { allocated: [127], bitmaps: [{ id: OLDER, bits: [7] }] });
    writeHds(join(folder, 'top.hds'), { diskSectors: 2048 });
    expect(await changed(folder, OLDER)).toEqual([[7 * KIB64, 9 * KIB64]]);
    expect(await listRanges(await (await openDisk(folder)).allocatedRanges(), 2 ** 20)).toEqual([
      [127 * 4096, 4096],
    ]);
  });

  it('reads a raw root by what the file holds, and takes overlays as expandable whatever they are called', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), {
      images: [
        { guid: ROOT, file: 'root.hds', type: 'Plain' },
        { guid: TOP_GUID, file: 'top.hds', type: 'Plain', parent: ROOT },
      ],
    });
    // A guest can write anything at the start of its disk; the descriptor says raw, so it is.
    writeFileSync(join(folder, 'root.hds'), 'WithouFreSpacExt');
    truncateSync(join(folder, 'root.hds'), 300 * 1024);
    writeHds(join(folder, 'top.hds'), { allocated: [100] });
    const source = await openDisk(folder);
    expect((await source.state()).layers.map(({ format, sizeBytes }) => [format, sizeBytes])).toEqual([
      ['parallels', 524_288],
      ['raw', 300 * 1024],
    ]);
    expect(await listRanges(await source.allocatedRanges(), 524_288)).toEqual([
      [0, 300 * 1024],
      [100 * 4096, 4096],
    ]);
  });

  it('reads a disk of one raw image', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), {
      images: [{ guid: TOP_GUID, file: 'root.hds', type: 'Plain' }],
    });
    writeFileSync(join(folder, 'root.hds'), Buffer.alloc(524_288));
    const { layers, sizeBytes } = await stateOf(folder);
    expect(sizeBytes).toBe(524_288);
    expect(layers).toMatchObject([{ format: 'raw', bitmaps: [], problem: { reason: 'FORMAT' } }]);
    truncateSync(join(folder, 'root.hds'), 524_287 - 512);
    expect((await refusalOf(stateOf(folder))).details).toMatchObject({ field: 'Disk_size', value: 1024 });
  });

  it.each(['middle.hds', 'root.hds'])('a damaged %s refuses what needs it, and only that', async (name) => {
    const folder = writeStack();
    const fd = openSync(join(folder, name), 'r+');
    writeSync(fd, 'garbage', 0);
    closeSync(fd);
    expect(await changed(folder)).toEqual([[6 * KIB64, KIB64]]);
    expect((await stateOf(folder)).layers[name === 'root.hds' ? 2 : 1]).toMatchObject({
      problem: { reason: 'FORMAT' },
    });
    const source = await openDisk(folder);
    expect(await refusalOf(source.allocatedRanges())).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'magic' },
    });
    expect((await refusalOf(changed(folder, OLDER))).code).toMatch(/CORRUPT_IMAGE|TRACKING_LOST/);
  });

  it('a writer on any of the images makes the disk busy', async () => {
    const folder = writeStack();
    for (const held of ['top.hds', 'middle.hds', 'root.hds']) {
      const inode = statSync(join(folder, held)).ino;
      const lockState = async (fd: number) => ({
        writer: fstatSync(fd).ino === inode,
        writersForbidden: false,
      });
      const source = await openDisk(folder, { ...kernelWith(), lockState });
      const error = await refusalOf(source.state());
      expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
      expect(error.message).toContain(held);
    }
  });

  it('a damaged top refuses everything', async () => {
    const folder = writeStack();
    truncateSync(join(folder, 'top.hds'), 40);
    expect((await refusalOf(stateOf(folder))).code).toBe('ERR_CBT_CORRUPT_IMAGE');
  });
});

describe('while it is read', () => {
  it('a write to the file ends every answer that stands on what it was', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { allocated: [1], bitmaps: [{ id: ID, bits: [3] }] });
    const source = await openDisk(path);
    const window = { startBytes: 0, endBytes: 524_288, maxRanges: 1 };
    const pagers = [await source.allocatedRanges(), await source.bitmapRanges([{ layer: 0, name: ID }], 512)];
    for (const pager of pagers) expect((await pager.page(window)).ranges).toHaveLength(2);
    appendFileSync(path, 'x');
    for (const pager of pagers)
      expect(await refusalOf(pager.page(window))).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        reason: 'BUSY',
      });
  });

  it('a write that hides its time is found in the header or in the seal of the extension', async () => {
    for (const at of ['header', 'seal']) {
      const { path, extensionOffset } = writeHds(join(scratch(), 'a.hds'), {
        bitmaps: [{ id: ID, bits: [3] }],
      });
      const time = new Date(10 ** 12);
      utimesSync(path, time, time);
      const source = await openDisk(path);
      const pager = await source.bitmapRanges([{ layer: 0, name: ID }], 512);
      const fd = openSync(path, 'r+');
      writeSync(fd, Buffer.of(0x59), 0, 1, at === 'header' ? 44 : extensionOffset + 9);
      closeSync(fd);
      utimesSync(path, time, time);
      expect((await refusalOf(pager.page({ startBytes: 0, endBytes: 524_288, maxRanges: 9 }))).reason).toBe(
        'BUSY',
      );
    }
  });

  it('a closed disk answers nothing more, its pagers neither', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { bitmaps: [{ id: ID }] });
    const source = await openDisk(path);
    const pager = await source.bitmapRanges([{ layer: 0, name: ID }], 512);
    await source.close();
    await source.close();
    for (const ask of [
      () => source.state(),
      () => source.allocatedRanges(),
      () => pager.page({ startBytes: 0, endBytes: 1, maxRanges: 1 }),
    ])
      expect(await refusalOf(ask)).toMatchObject({ code: 'ERR_CBT_CLOSED', disk: path });
  });

  it('counts without listing, and asks no bit past the end of the image', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      diskSectors: 1000,
      bitmaps: [{ id: ID, bits: [1, 7] }],
    });
    const pager = await (await openDisk(path)).bitmapRanges([{ layer: 0, name: ID }], 512);
    expect(await pager.count!({ startBytes: 0, endBytes: 10 ** 6 })).toBe(KIB64 + 1000 * 512 - 7 * KIB64);
    expect(await pager.count!({ startBytes: 10 ** 6, endBytes: 10 ** 7 })).toBe(0);
  });

  it('stops when told to', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'));
    const source = await openDisk(path);
    const signal = AbortSignal.abort();
    for (const ask of [
      () => source.state(signal),
      () => source.allocatedRanges(undefined, signal),
      () => source.bitmapRanges([], 512, signal),
    ])
      expect((await refusalOf(ask)).code).toBe('ERR_CBT_ABORTED');
  });
});
