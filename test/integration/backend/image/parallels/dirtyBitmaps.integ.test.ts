/** Our reading of stored bitmaps against QEMU's, on images that neither wrote. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../../lib/backend/image/imageSource.js';
import { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import { kernels, scriptKernel } from '../../../../helpers/kernels.js';
import {
  BITMAP_MAGIC,
  bitmapData,
  type HdsSpec,
  hashOf,
  writeHds,
} from '../../../../helpers/parallelsBuilder.js';
import { type Extent, withFolder } from '../../../../helpers/qemuTools.js';
import { dirtyExtents, openError } from './qemuParallels.js';

const ID = '00112233-4455-6677-8899-aabbccddeeff';

async function changedSince(path: string, from: string, kernel = scriptKernel): Promise<Extent[]> {
  await using disk = new TrackedDisk(await openImage(path, { kernel }), kernel);
  const flat = await (await disk.changes({ from })).ranges();
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const);
}

async function bothRead(spec: HdsSpec, uuid = ID): Promise<Extent[]> {
  return withFolder(async (folder) => {
    const { path } = writeHds(join(folder, 'a.hds'), spec);
    const before = hashOf(path);
    const theirs = await dirtyExtents(path, uuid);
    for (const { label, kernel } of kernels) {
      expect(await changedSince(path, uuid, kernel), label).toEqual(theirs);
    }
    expect(hashOf(path)).toBe(before);
    return theirs;
  });
}

describe('dirty ranges as qemu-nbd serves them', () => {
  it('a disk that ends inside a granule', async () => {
    const bits = [0, 1, 9, 63, 64, 130, 200];
    const ranges = await bothRead({
      clusterSectors: 2048,
      diskSectors: 200 * 128 + 5,
      bitmaps: [{ id: ID, bits }],
    });
    expect(ranges.at(-1)).toEqual([200 * 65536, 2560]);
  });

  it('64 GiB whose upper half is dirty by one L1 entry', async () => {
    const spec = { clusterSectors: 128, diskSectors: 2 ** 27, bitmaps: [{ id: ID, l1: [0, 1] }] };
    expect(await bothRead(spec)).toEqual([[2 ** 35, 2 ** 35]]);
  });

  it('the image of QEMU’s own test', async () => {
    const id = 'e4f2eed0-37fe-4539-b50b-85d2e7fd235f';
    const bits = [5, 6, 10, 11, 12, 30];
    const ranges = await bothRead(
      { clusterSectors: 2048, diskSectors: 2 ** 27, bitmaps: [{ id, bits }] },
      id,
    );
    expect(ranges.map(([offset, length]) => [offset / 65536, length / 65536])).toEqual([
      [5, 2],
      [10, 3],
      [30, 1],
    ]);
  });

  it('any shape of image and bitmap', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          magic: fc.constantFrom('WithoutFreeSpace', 'WithouFreSpacExt'),
          clusterSectors: fc.constantFrom(1, 8, 63, 128),
          diskSectors: fc.integer({ min: 1, max: 40_000 }),
          granularitySectors: fc.constantFrom(1, 2, 16, 128, 2048),
          dirty: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 70 })), { maxLength: 12 }),
          uuid: fc.uuid(),
        }),
        async ({ dirty, granularitySectors, uuid, ...shape }) => {
          // The L1 table and two features have to fit the extension cluster.
          fc.pre(
            Math.ceil(shape.diskSectors / granularitySectors) <=
              (shape.clusterSectors === 1 ? 4096 * 40 : 1e9),
          );
          const bitCount = Math.ceil(shape.diskSectors / granularitySectors);
          const bits = dirty.flatMap(([at, run]) =>
            Array.from({ length: run }, (_, i) => (at % bitCount) + i).filter((bit) => bit < bitCount),
          );
          const spec = { ...shape, allocated: [0], bitmaps: [{ id: uuid, granularitySectors, bits }] };
          const ranges = await bothRead(spec, uuid);
          expect(ranges.length === 0).toBe(bits.length === 0);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('several bitmaps of one image, each its own', async () => {
    const ids = [ID, ID.replace('0', 'a'), ID.replace('0', 'b')];
    const bitmaps = ids.map((id, i) => ({ id, bits: [i, i + 3], granularitySectors: 16 * 2 ** i }));
    for (const id of ids) expect(await bothRead({ bitmaps }, id)).not.toEqual([]);
  });
});

describe('where we differ from QEMU 7.2 on purpose', () => {
  it('an empty L1 is all clean to ploop, which writes it, and to us; QEMU does not open the image', async () => {
    await withFolder(async (folder) => {
      const { path } = writeHds(join(folder, 'a.hds'), { bitmaps: [{ id: ID, l1: [] }] });
      expect(await changedSince(path, ID)).toEqual([]);
      expect(await openError(path)).toMatch(/table size/);
    });
  });

  it('a feature nobody knows is dropped as the format says; QEMU does not open the image', async () => {
    await withFolder(async (folder) => {
      const data = bitmapData({ id: ID }, 1024n, [1]);
      const features = [{ magic: 0x77n }, { magic: BITMAP_MAGIC, data }, { magic: 0n }];
      const { path } = writeHds(join(folder, 'a.hds'), { features });
      expect(await changedSince(path, ID)).toEqual([[0, 524_288]]);
      expect(await openError(path)).toMatch(/Unknown feature/);
    });
  });

  it.each([0, 0x746f6e59])('in_use %i: QEMU serves what may be stale, we refuse', async (inUse) => {
    await withFolder(async (folder) => {
      const { path } = writeHds(join(folder, 'a.hds'), { inUse, bitmaps: [{ id: ID, bits: [1] }] });
      expect(await dirtyExtents(path, ID)).toEqual([[65_536, 65_536]]);
      await expect(changedSince(path, ID)).rejects.toMatchObject({
        reason: inUse === 0 ? 'MISSING' : 'CRASHED',
      });
    });
  });
});
