/** What a source checks before the reading: kinds of file, formats, stacks, writers. */
import { execFile } from 'node:child_process';
import { appendFile, copyFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../lib/backend/image/imageSource.js';
import type { DiskSource } from '../../../../lib/core/diskSource.js';
import { ALL, folder, kernel, open, put, SIZE, useImageFolder } from '../../../helpers/openedImages.js';
import { buildQcow2, setEntry } from '../../../helpers/qcow2Builder.js';
import { refusalOf } from '../../../helpers/refusal.js';

useImageFolder();

const openTold = (path: string): Promise<DiskSource> => open(path, 'qcow2');

describe('what can be opened', () => {
  it('refuses a folder, a FIFO, a socket and a character device, and never waits', async () => {
    const fifo = join(folder, 'fifo');
    await promisify(execFile)('mkfifo', [fifo]);
    const socket = join(folder, 'socket');
    const server = net.createServer().listen(socket);
    for (const [path, kind] of [
      [folder, 'a folder'],
      [fifo, 'a FIFO'],
      [socket, 'a socket'],
      ['/dev/zero', 'a character device'],
    ] as const) {
      for (const format of [undefined, 'raw', 'qcow2'] as const) {
        const error = await refusalOf(open(path, format));
        expect(error).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', disk: path });
        expect(error.message).toContain(kind);
      }
    }
    server.close();
  });

  it('tells a missing file', async () => {
    const path = join(folder, 'none');
    expect(await refusalOf(open(path))).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      disk: path,
      details: { path, errno: 'ENOENT' },
    });
  });

  it('follows a symbolic link, and looks for the backing file beside the link as QEMU does', async () => {
    await mkdir(join(folder, 'real'));
    await put('real/base', { size: SIZE });
    const real = await put('real/top', { backing: { name: 'base', format: 'qcow2' } });
    await symlink(real, join(folder, 'link'));
    const { layers } = await (await openTold(join(folder, 'link'))).state();
    expect(layers[1]).toMatchObject({
      format: 'unknown',
      problem: { message: expect.stringContaining(`${folder}/base`) },
    });
  });

  it.each([
    ['vmdk', Buffer.from('KDMV')],
    ['vmdk', Buffer.from('# Disk DescriptorFile')],
    ['vhdx', Buffer.from('vhdxfile')],
    ['vpc', Buffer.from('conectix')],
    ['qed', Buffer.from('QED\0')],
    ['qcow', Buffer.from([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 1])],
    ['luks', Buffer.from([0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe])],
    ['vdi', Buffer.concat([Buffer.alloc(64), Buffer.from([0x7f, 0x10, 0xda, 0xbe])])],
  ])('refuses %s by its name, and reads it as raw when told to', async (format, magic) => {
    const path = await put('image', Buffer.concat([magic, Buffer.alloc(1024)]));
    const error = await refusalOf(open(path));
    expect(error).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED', details: { field: 'format', value: format } });
    expect((await (await open(path, 'raw')).state()).layers[0]).toMatchObject({ format: 'raw' });
  });

  it('takes a file without a magic for raw, in whole sectors', async () => {
    const source = await open(await put('raw', Buffer.alloc(1000, 1)));
    const state = await source.state();
    expect(state).toMatchObject({ sizeBytes: 1024, live: false });
    expect(state.layers).toMatchObject([{ format: 'raw', bitmaps: [], problem: { reason: 'FORMAT' } }]);
    expect(await refusalOf(source.bitmapRanges([{ layer: 0, name: 'b' }], 512))).toMatchObject({
      code: 'ERR_CBT_TRACKING_LOST',
      reason: 'FORMAT',
    });
  });

  it('stops at an aborted signal', async () => {
    const path = await put('disk');
    const signal = AbortSignal.abort();
    expect(await refusalOf(openImage(path, { kernel, signal }))).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    const source = await open(path);
    expect(await refusalOf(source.state(signal))).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    expect(await refusalOf(source.bitmapRanges([], 512, signal))).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    expect(await refusalOf(source.allocatedRanges(undefined, signal))).toMatchObject({
      code: 'ERR_CBT_ABORTED',
    });
  });
});

describe('stacks', () => {
  it('lists every layer, top first, each with its own size and format', async () => {
    await put('base', Buffer.alloc(3 * 512));
    await put('mid', { size: 2 * SIZE, backing: { name: 'base', format: 'raw' }, bitmaps: [{ name: 'm' }] });
    const top = await put('top', { backing: { name: 'mid', format: 'qcow2' }, bitmaps: [{ name: 't' }] });
    const state = await (await openTold(top)).state();
    expect(state.sizeBytes).toBe(SIZE);
    expect(state.layers.map(({ label, sizeBytes, format }) => [label, sizeBytes, format])).toEqual([
      [top, SIZE, 'qcow2'],
      [join(folder, 'mid'), 2 * SIZE, 'qcow2'],
      [join(folder, 'base'), 1536, 'raw'],
    ]);
    expect(state.layers.map(({ bitmaps }) => bitmaps.map(({ name }) => name))).toEqual([['t'], ['m'], []]);
  });

  it('probes a backing file without a format, and believes one that is given', async () => {
    await put('base', { size: 2 * SIZE });
    const probed = await put('probed', { backing: { name: 'base' } });
    expect((await (await openTold(probed)).state()).layers[1]).toMatchObject({
      format: 'qcow2',
      sizeBytes: 2 * SIZE,
    });
    const told = await put('told', { backing: { name: 'base', format: 'raw' } });
    expect((await (await openTold(told)).state()).layers[1]).toMatchObject({ format: 'raw' });
  });

  it('takes an empty name for none', async () => {
    const path = await put('top', { backing: { name: '' } });
    expect((await (await openTold(path)).state()).layers).toHaveLength(1);
  });

  it.each([
    ['nbd://host/export', 'raw', 'ERR_CBT_UNSUPPORTED', /nbd:\/\/host\/export/],
    ['missing', 'qcow2', 'ERR_CBT_BACKEND_UNAVAILABLE', /missing: ENOENT/],
    ['broken', 'qcow2', 'ERR_CBT_CORRUPT_IMAGE', /magic is 0x0/],
    ['broken', 'vmdk', 'ERR_CBT_UNSUPPORTED', /format is vmdk/],
    ['.', 'raw', 'ERR_CBT_UNSUPPORTED', /backing file of .*a folder/],
  ])('still answers the top layer over %s as %s', async (name, format, code, message) => {
    await put('broken', Buffer.alloc(4096));
    const path = await put('top', { backing: { name, format }, bitmaps: [{ name: 'b' }] });
    const source = await openTold(path);
    const state = await source.state();
    expect(state.layers).toHaveLength(2);
    expect(state.layers[1]).toMatchObject({
      label: name,
      bitmaps: [],
      sizeBytes: SIZE,
      problem: { reason: 'FORMAT' },
    });
    expect(state.layers[1]!.problem!.message).toMatch(message);
    await expect(
      (await source.bitmapRanges([{ layer: 0, name: 'b' }], 65536)).page(ALL),
    ).resolves.toBeDefined();
    await expect((await source.allocatedRanges(1)).page(ALL)).resolves.toBeDefined();
    for (const needed of [() => source.allocatedRanges(), () => source.allocatedRanges(2)]) {
      const error = await refusalOf(needed);
      expect(error).toMatchObject({ code, disk: path });
      expect(error.message).toMatch(message);
    }
    expect((await refusalOf(source.bitmapRanges([{ layer: 1, name: 'b' }], 65536))).code).toBe(code);
  });

  it('refuses a loop, under whatever names', async () => {
    const self = await put('self', { backing: { name: 'self', format: 'qcow2' } });
    expect(await refusalOf((await openTold(self)).state())).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'backing chain' },
    });
    await put('b', { backing: { name: './other-name-of-a', format: 'qcow2' } });
    const a = await put('a', { backing: { name: 'b', format: 'qcow2' } });
    await symlink(a, join(folder, 'other-name-of-a'));
    expect((await refusalOf((await openTold(a)).state())).message).toMatch(
      /a loop: .*\/a is its own backing file/,
    );
  });

  it('follows 200 layers and no more', async () => {
    const total = 201;
    for (let i = 0; i < total; i++) {
      const below = i + 1 < total ? { backing: { name: `${i + 1}`, format: 'qcow2' } } : {};
      await put(`${i}`, { clusterBits: 9, size: 4096, ...below });
    }
    expect((await (await openTold(join(folder, '1'))).state()).layers).toHaveLength(200);
    expect(await refusalOf((await openTold(join(folder, '0'))).state())).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { field: 'length of the backing chain' },
    });
  });

  it('refuses layers and bitmaps that are not there', async () => {
    const source = await openTold(await put('disk', { bitmaps: [{ name: 'b' }] }));
    expect(await refusalOf(source.bitmapRanges([{ layer: 1, name: 'b' }], 512))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    for (const layers of [-1, 2, 0.5, Number.NaN]) {
      expect(await refusalOf(source.allocatedRanges(layers))).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
      });
    }
    expect(await refusalOf(source.bitmapRanges([{ layer: 0, name: 'x' }], 512))).toMatchObject({
      code: 'ERR_CBT_UNKNOWN_PIT',
      details: { bitmap: 'x' },
    });
    expect(await refusalOf(source.bitmapRanges([{ layer: 0, name: 'b' }], 1000))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    const none = await (await source.bitmapRanges([], 512)).page(ALL);
    expect(none).toMatchObject({ nextBytes: SIZE, ranges: new Float64Array(0) });
    expect((await (await source.allocatedRanges(0)).page(ALL)).ranges).toHaveLength(0);
  });

  it('refuses a bitmap that is in use although nobody holds the image', async () => {
    const source = await openTold(await put('disk', { bitmaps: [{ name: 'b', flags: 3 }] }));
    const { layers } = await source.state();
    expect(layers[0]!.bitmaps).toMatchObject([{ name: 'b', inconsistent: true, recording: true }]);
    expect(await refusalOf(source.bitmapRanges([{ layer: 0, name: 'b' }], 512))).toMatchObject({
      code: 'ERR_CBT_TRACKING_LOST',
      reason: 'CRASHED',
    });
  });
});

describe('writers', () => {
  const BUSY = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };

  it('refuses an image that a writer holds, and points to the live way', async () => {
    const source = await open(await put('disk', { bitmaps: [{ name: 'b' }] }));
    kernel.writer = true;
    for (const asked of [
      () => source.state(),
      () => source.bitmapRanges([{ layer: 0, name: 'b' }], 512),
      () => source.allocatedRanges(),
    ]) {
      const error = await refusalOf(asked);
      expect(error).toMatchObject(BUSY);
      expect(error.message).toMatch(/qmp:<socket>#<disk>/);
    }
    kernel.writer = false;
    await expect(source.state()).resolves.toBeDefined();
  });

  it('asks before the first read and again after it', async () => {
    const source = await open(await put('disk', { bitmaps: [{ name: 'b' }] }));
    for (const ask of [
      () => source.state(),
      () => source.bitmapRanges([{ layer: 0, name: 'b' }], 512),
      () => source.allocatedRanges(),
    ]) {
      let asked = 0;
      kernel.writer = false;
      kernel.onAsk = (what) => {
        if (what === 'lockState') kernel.writer = ++asked > 1;
      };
      expect(await refusalOf(ask())).toMatchObject(BUSY);
      expect(asked).toBe(2);
    }
  });

  it('notices a writer that comes while pages are read', async () => {
    const source = await open(await put('disk', { bitmaps: [{ name: 'b' }] }));
    const pagers = [
      await source.bitmapRanges([{ layer: 0, name: 'b' }], 512),
      await source.allocatedRanges(),
    ];
    kernel.onAsk = (what) => {
      if (what.startsWith('scan')) kernel.writer = true;
    };
    for (const pager of pagers) {
      kernel.writer = false;
      expect(await refusalOf(pager.page(ALL))).toMatchObject(BUSY);
    }
    const [bitmap] = pagers;
    await expect(bitmap!.count!({ startBytes: 0, endBytes: SIZE })).rejects.toMatchObject(BUSY);
  });

  it('notices a writer that came and went, by the time of change or by the bytes', async () => {
    const path = await put('disk', { bitmaps: [{ name: 'b' }] });
    const image = buildQcow2({ size: SIZE, bitmaps: [{ name: 'b' }] });
    const source = await open(path);
    await source.state();
    const pager = await source.bitmapRanges([{ layer: 0, name: 'b' }], 512);
    await expect(pager.page(ALL)).resolves.toBeDefined();
    setEntry(image, 0, 'flags', 1);
    await writeFile(path, image.bytes, { flag: 'r+' });
    await utimes(path, 1, 1);
    expect(await refusalOf(pager.page(ALL))).toMatchObject(BUSY);
    expect(await refusalOf(source.bitmapRanges([{ layer: 0, name: 'b' }], 512))).toMatchObject(BUSY);
    expect(await refusalOf(source.allocatedRanges())).toMatchObject(BUSY);
    // A fresh look is a fresh answer.
    expect((await source.state()).layers[0]!.bitmaps).toMatchObject([{ inconsistent: true }]);
    // With the time of change put back, the bytes still tell.
    const again = await source.allocatedRanges();
    setEntry(image, 0, 'flags', 2);
    await writeFile(path, image.bytes, { flag: 'r+' });
    await utimes(path, 1, 1);
    expect(await refusalOf(again.page(ALL))).toMatchObject(BUSY);
  });

  it('says that the image changed rather than that it is damaged, when both are true', async () => {
    const path = await put('disk', { bitmaps: [{ name: 'b' }] });
    const source = await open(path);
    const pager = await source.allocatedRanges();
    kernel.onAsk = async (what) => {
      if (what !== 'scanClusters') return;
      await appendFile(path, 'x');
      throw new Error('looks damaged');
    };
    expect(await refusalOf(pager.page(ALL))).toMatchObject(BUSY);
  });

  it('watches the layers below as well', async () => {
    const base = await put('base');
    const source = await openTold(await put('top', { backing: { name: 'base', format: 'qcow2' } }));
    await source.state();
    await appendFile(base, Buffer.alloc(512));
    expect(await refusalOf(source.allocatedRanges(1))).toMatchObject(BUSY);
  });

  it('notices that another file took the name', async () => {
    const path = await put('disk');
    const source = await open(path);
    await source.state();
    await copyFile(path, `${path}.new`);
    await rename(`${path}.new`, path);
    const error = await refusalOf(source.state());
    expect(error).toMatchObject(BUSY);
    expect(error.message).toMatch(/replaced by another file/);
    await rm(path);
    expect(await refusalOf(source.state())).toMatchObject({ details: { errno: 'ENOENT' } });
  });
});
