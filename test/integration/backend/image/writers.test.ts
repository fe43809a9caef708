/**
 * A real QEMU that holds, held or takes an image: refused while it writes, inconsistent after a crash, sound after a clean
 * stop; and what the file then says is what `qemu-img info` reads in it.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BitmapInfo, DiskState } from '../../../../lib/core/diskSource.js';
import { allocatedOf, dirtyOf, everyKernel, withImage } from '../../../helpers/imageQuestions.js';
import { dirtyExtents, mapData, qemuImg, qemuIo, withFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { StorageDaemon } from '../../../helpers/storageDaemon.js';

const MIB = 2 ** 20;
const BUSY = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };
const kernels = await everyKernel();
const plain = (path: string): string[] => ['-f', 'qcow2', path];

async function makeImage(folder: string): Promise<string> {
  const image = join(folder, 'disk');
  await qemuImg('create', '-q', '-f', 'qcow2', image, `${16 * MIB}`);
  await qemuImg('bitmap', '--add', image, 'on');
  await qemuImg('bitmap', '--add', '--disable', image, 'off');
  await qemuIo(plain(image), 'write 1M 64k');
  return image;
}

const hold = (image: string, options: Readonly<Record<string, unknown>> = {}): Promise<StorageDaemon> =>
  StorageDaemon.start({ disks: [{ node: 'd', file: image, options }] });

const stateOf = (image: string): Promise<DiskState> =>
  withImage(image, kernels[0]!, (source) => source.state());

interface QemuBitmap {
  name: string;
  granularity: number;
  flags: string[];
}

/** Bitmaps as qemu-img reads them from the file. */
async function bitmapsByQemu(image: string): Promise<Partial<BitmapInfo>[]> {
  const info = JSON.parse(await qemuImg('info', '--output=json', ...plain(image)));
  const bitmaps: QemuBitmap[] = info['format-specific'].data.bitmaps ?? [];
  return bitmaps.map(({ name, granularity, flags }) => ({
    name,
    granularityBytes: granularity,
    recording: flags.includes('auto'),
    inconsistent: flags.includes('in-use'),
    persistent: true,
    busy: false,
  }));
}

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))('the %s kernel', (_, kernel) => {
  it('refuses an image while a QEMU writes to it, and reads it again after a clean stop', async () => {
    await withFolder(async (folder) => {
      const image = await makeImage(folder);
      await withImage(image, kernel, async (source) => {
        const before = await source.state();
        expect(before.layers[0]!.bitmaps).toEqual(await bitmapsByQemu(image));
        const pager = await source.bitmapRanges([{ layer: 0, name: 'on' }], 65536);
        const window = { startBytes: 0, endBytes: before.sizeBytes, maxRanges: 10 };
        await expect(pager.page(window)).resolves.toMatchObject({ nextBytes: 16 * MIB });

        await using daemon = await hold(image);
        await daemon.exportWritable('d');
        for (const asked of [
          () => source.state(),
          () => source.bitmapRanges([{ layer: 0, name: 'on' }], 65536),
          () => source.allocatedRanges(),
        ]) {
          const error = await refusalOf(asked);
          expect(error).toMatchObject({ ...BUSY, disk: image });
          expect(error.message).toMatch(/qmp:<socket>#<disk>/);
        }
        expect(await refusalOf(pager.page(window))).toMatchObject(BUSY);
        await daemon.guestIo('d', 'write 4M 100k');
        expect(await daemon.process.terminate()).toMatchObject({ code: 0 });

        // The old answer is about a disk that is gone; the new one is about the disk as it was stored.
        expect(await refusalOf(pager.page(window))).toMatchObject(BUSY);
        expect(await refusalOf(source.allocatedRanges())).toMatchObject(BUSY);
        expect((await source.state()).layers[0]!.bitmaps).toEqual(await bitmapsByQemu(image));
        expect(await dirtyOf(source, ['on'])).toEqual(await dirtyExtents('on', plain(image)));
        expect(await dirtyOf(source, ['off'])).toEqual([]);
        expect(await allocatedOf(source)).toEqual(await mapData(...plain(image)));
      });
    });
  });

  it('calls every bitmap inconsistent after a crash, the disabled one too, and still tells what holds data', async () => {
    await withFolder(async (folder) => {
      const image = await makeImage(folder);
      {
        await using daemon = await hold(image);
        await daemon.process.kill();
      }
      await withImage(image, kernel, async (source) => {
        const { layers } = await source.state();
        expect(layers[0]!.problem).toBeUndefined();
        expect(layers[0]!.bitmaps.map(({ name, inconsistent }) => [name, inconsistent]).sort()).toEqual([
          ['off', true],
          ['on', true],
        ]);
        expect(layers[0]!.bitmaps).toEqual(await bitmapsByQemu(image));
        for (const name of ['on', 'off']) {
          expect(await refusalOf(source.bitmapRanges([{ layer: 0, name }], 65536))).toMatchObject({
            code: 'ERR_CBT_TRACKING_LOST',
            reason: 'CRASHED',
            recovery: 'full',
          });
        }
        expect(await allocatedOf(source)).toEqual(await mapData(...plain(image)));
      });
    });
  });

  it('reads an image that a reader holds', async () => {
    await withFolder(async (folder) => {
      const image = await makeImage(folder);
      await using _daemon = await hold(image, { 'read-only': true });
      await withImage(image, kernel, async (source) => {
        expect(await dirtyOf(source, ['on'])).toEqual([[MIB, 65536]]);
        expect(await allocatedOf(source)).toEqual([[MIB, 65536]]);
      });
    });
  });

  it('refuses a stack whose base somebody writes to', async () => {
    await withFolder(async (folder) => {
      const base = await makeImage(folder);
      const top = join(folder, 'top');
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
      await using _daemon = await hold(base);
      const error = await refusalOf(withImage(top, kernel, (source) => source.state()));
      expect(error).toMatchObject({ ...BUSY, disk: top, details: { path: base } });
    });
  });
});

describe('what QEMU does to a file', () => {
  it('a bitmap that was never stored is busy first, and unknown after a crash', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', image, `${MIB}`);
      await using daemon = await hold(image);
      await daemon.process.control.execute('block-dirty-bitmap-add', {
        node: 'd',
        name: 'new',
        persistent: true,
      });
      expect(await refusalOf(stateOf(image))).toMatchObject(BUSY);
      await daemon.process.kill();
      expect((await stateOf(image)).layers[0]!.bitmaps).toEqual([]);
    });
  });

  it('a persistent bitmap that was stored by a clean stop is there, disabled or recording', async () => {
    await withFolder(async (folder) => {
      const image = await makeImage(folder);
      await using daemon = await hold(image);
      const { control } = daemon.process;
      await control.execute('block-dirty-bitmap-disable', { node: 'd', name: 'on' });
      await control.execute('block-dirty-bitmap-add', {
        node: 'd',
        name: 'new',
        persistent: true,
        granularity: 4096,
      });
      await control.execute('block-dirty-bitmap-add', { node: 'd', name: 'gone' });
      await daemon.process.terminate();
      const { bitmaps } = (await stateOf(image)).layers[0]!;
      expect(bitmaps).toEqual(await bitmapsByQemu(image));
      expect(bitmaps.map(({ name, recording }) => [name, recording]).sort()).toEqual([
        ['new', true],
        ['off', false],
        ['on', false],
      ]);
    });
  });

  it('a resize while offline keeps bitmaps readable, at the new size', async () => {
    await withFolder(async (folder) => {
      const image = await makeImage(folder);
      for (const size of [40 * MIB + 512, 2 * MIB]) {
        const shrink = size < 16 * MIB ? ['--shrink'] : [];
        await qemuImg('resize', '-q', ...shrink, ...plain(image), `${size}`);
        expect((await stateOf(image)).sizeBytes).toBe(size);
        const found = await withImage(image, kernels[0]!, (source) => dirtyOf(source, ['on']));
        expect(found).toEqual(await dirtyExtents('on', plain(image)));
      }
    });
  });
});
