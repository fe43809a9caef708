/**
 * The images that tests build byte by byte are images to QEMU too: undamaged ones pass its check, and what no QEMU writes
 * but the format allows is read alike.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../lib/backend/image/imageSource.js';
import { TrackedDisk } from '../../../../lib/core/trackedDisk.js';
import { allocatedOf, dirtyOf, everyKernel, withImage } from '../../../helpers/imageQuestions.js';
import { buildQcow2, type Qcow2Spec, setHeader } from '../../../helpers/qcow2Builder.js';
import { dirtyExtents, mapData, mapTopLayer, qemuImg, withFolder } from '../../../helpers/qemuTools.js';

const SIZE = 5 * 2 ** 20 + 512;
const kernels = await everyKernel();
const plain = (path: string): string[] => ['-f', 'qcow2', path];

async function expectSame(bytes: Buffer, bitmaps: readonly string[]): Promise<void> {
  await withFolder(async (folder) => {
    const image = join(folder, 'disk');
    await writeFile(image, bytes);
    for (const kernel of kernels) {
      await withImage(image, kernel, async (source) => {
        expect(await allocatedOf(source)).toEqual(await mapData(...plain(image)));
        expect(await allocatedOf(source, 1)).toEqual(await mapTopLayer(...plain(image)));
        for (const name of bitmaps)
          expect(await dirtyOf(source, [name])).toEqual(await dirtyExtents(name, plain(image)));
      });
    }
  });
}

const SPECS: [string, Qcow2Spec][] = [
  ['no bitmaps', { size: SIZE }],
  ['version 2', { size: SIZE, version: 2, clusters: new Map([[3, 'data'] as const]) }],
  [
    'data and zeros',
    {
      size: SIZE,
      clusters: new Map([
        [0, 'data'],
        [1, 'zero'],
        [80, 'data'],
      ]),
    },
  ],
  [
    'extended L2 entries',
    {
      size: SIZE,
      extendedL2: true,
      clusters: new Map([
        [0, 'data'],
        [2, 'zero'],
      ]),
    },
  ],
  [
    'bitmaps in small clusters',
    {
      size: SIZE,
      clusterBits: 12,
      bitmaps: [
        { name: 'fine', granularityBits: 9, dirty: [0, 1, 77, 5000, 10240], flags: 2 },
        { name: 'coarse', granularityBits: 20, dirty: [5] },
      ],
    },
  ],
  [
    'the finest bits of 512-byte clusters',
    { size: 2 ** 16, clusterBits: 9, bitmaps: [{ name: 'fine', granularityBits: 9, dirty: [127] }] },
  ],
];

describe('images built byte by byte', () => {
  it.each(SPECS)('%s: pass qemu-img check and are read alike', async (_, spec) => {
    const { bytes } = buildQcow2(spec);
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await writeFile(image, bytes);
      expect(JSON.parse(await qemuImg('check', '--output=json', ...plain(image)))).toMatchObject({
        'check-errors': 0,
      });
    });
    await expectSame(
      bytes,
      (spec.bitmaps ?? []).map(({ name }) => `${name}`),
    );
  });

  it('clusters of bits that are all ones, which QEMU reads and never writes', async () => {
    const bitmaps = [{ name: 'ones', granularityBits: 9, table: [0n, 1n, 0n] }];
    await expectSame(buildQcow2({ size: SIZE, clusterBits: 9, bitmaps }).bytes, ['ones']);
  });

  it('bits past the end of the disk, which count for nothing', async () => {
    const { bytes } = buildQcow2({ size: SIZE, bitmaps: [{ name: 'tail', dirty: [80, 81, 82, 200] }] });
    await expectSame(bytes, ['tail']);
  });

  it('a header size that is no whole number of sectors', async () => {
    const { bytes } = buildQcow2({ size: SIZE, bitmaps: [{ name: 'b', dirty: [80] }] });
    setHeader(bytes, 'size', SIZE + 300);
    await expectSame(bytes, ['b']);
  });
});

describe('bitmaps that a program without bitmap support voided', () => {
  it('are gone for QEMU, and here a reason for a full backup', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      const { bytes } = buildQcow2({
        size: SIZE,
        bitmaps: [{ name: '2db90af6-8e0b-4d2a-9b93-7b1a5d0f7a11' }],
      });
      setHeader(bytes, 'autoclear_features', 0);
      await writeFile(image, bytes);
      const info = JSON.parse(await qemuImg('info', '--output=json', ...plain(image)));
      expect(info['format-specific'].data.bitmaps ?? []).toEqual([]);
      for (const kernel of kernels) {
        await using disk = new TrackedDisk(await openImage(image, { kernel }), kernel);
        await expect(disk.changes({ from: '2db90af6-8e0b-4d2a-9b93-7b1a5d0f7a11' })).rejects.toMatchObject({
          code: 'ERR_CBT_TRACKING_LOST',
          reason: 'MISSING',
          recovery: 'full',
        });
      }
    });
  });
});
