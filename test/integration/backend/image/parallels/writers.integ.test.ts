/** Real writers: what they leave behind, and that a disk they hold is not read. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../../lib/backend/image/imageSource.js';
import type { LayerState } from '../../../../../lib/core/diskSource.js';
import { createScriptKernel } from '../../../../../lib/kernel/scriptKernel.js';
import { hashOf, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { qemuIo, withFolder } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { openError } from './qemuParallels.js';

const ID = '00112233-4455-6677-8899-aabbccddeeff';
const bitmaps = [{ id: ID, bits: [1] }];

async function topOf(path: string): Promise<LayerState> {
  const source = await openImage(path, { kernel: createScriptKernel() });
  try {
    return (await source.state()).layers[0]!;
  } finally {
    await source.close();
  }
}

/** A QEMU process that has the image open until it is ended. */
function hold(path: string, readOnly: boolean): Promise<StorageDaemon> {
  const options = { 'read-only': readOnly };
  return StorageDaemon.start({ disks: [{ node: 'disk', file: path, driver: 'parallels', options }] });
}

describe('a real writer', () => {
  it('QEMU 7.2 drops the extension when it writes: the points are lost, with the reason', async () => {
    await withFolder(async (folder) => {
      const { path } = writeHds(join(folder, 'a.hds'), { bitmaps });
      expect(await topOf(path)).not.toHaveProperty('problem');
      await qemuIo(['-f', 'parallels', path], 'write 0 512');
      expect((await topOf(path)).problem).toMatchObject({
        reason: 'MISSING',
        message: expect.stringContaining('in_use is 0x0'),
      });
      // The offset of the extension was left behind; QEMU itself cannot open what it made.
      expect(await openError(path)).not.toBeNull();
    });
  });

  it('is BUSY while it holds the image, and CRASHED after it was killed', async () => {
    await withFolder(async (folder) => {
      const { path } = writeHds(join(folder, 'a.hds'), { bitmaps });
      const source = await openImage(path, { kernel: createScriptKernel() });
      const pager = await source.bitmapRanges([{ layer: 0, name: ID }], 512);
      const writer = await hold(path, false);
      try {
        const asks = [
          () => source.state(),
          () => source.allocatedRanges(),
          () => source.bitmapRanges([{ layer: 0, name: ID }], 512),
          () => pager.page({ startBytes: 0, endBytes: 524_288, maxRanges: 9 }),
        ];
        for (const ask of asks)
          expect(await refusalOf(ask)).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
      } finally {
        await writer.process.kill();
      }
      expect((await source.state()).layers[0]!.problem).toMatchObject({ reason: 'CRASHED' });
      await source.close();
    });
  });

  it('a reader beside us is no hindrance, and nobody changes the file', async () => {
    await withFolder(async (folder) => {
      const { path } = writeHds(join(folder, 'a.hds'), { bitmaps });
      const before = hashOf(path);
      await using _reader = await hold(path, true);
      expect((await topOf(path)).bitmaps).toHaveLength(1);
      expect(hashOf(path)).toBe(before);
    });
  });
});
