/** A stack of Parallels images, and what happens to it while it is read. */
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
import { type ImageSpec, TOP_GUID, writeHdd, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { changed, ID, KIB64, kernelWith, listRanges, openDisk, scratch, stateOf } from './disks.js';

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
