/** What holds data, against `qemu-img map`, on images that QEMU made and on our own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../../lib/backend/image/imageSource.js';
import { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import { createScriptKernel } from '../../../../../lib/kernel/scriptKernel.js';
import { NULL_GUID, TOP_GUID, writeHdd, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { type Extent, mapData, qemuImg, qemuIo, withFolder } from '../../../../helpers/qemuTools.js';

async function allocated(path: string): Promise<Extent[]> {
  const kernel = createScriptKernel();
  await using disk = new TrackedDisk(await openImage(path, { kernel }), kernel);
  const flat = await (await disk.allocated()).ranges();
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const);
}

describe('what holds data', () => {
  it.each([
    ['1M', '64M', ['write 0 512', 'write 3M 4M', 'write 63M 1M', 'write 40M 4096']],
    ['64k', '10M', ['write 100000 1', 'write 9M 1M', 'write 1M 3M']],
    ['32256', '5M', ['write 0 32256', 'write 64512 1', 'write 5242368 512']],
    ['1M', '64M', []],
    ['4k', '2000k', ['write -z 0 8k', 'write 8k 4k', 'write 1996k 4k']],
  ])('of images that QEMU made, clusters of %s on %s', async (cluster, size, writes) => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.hds');
      await qemuImg('create', '-q', '-f', 'parallels', '-o', `cluster_size=${cluster}`, path, size);
      if (writes.length > 0) await qemuIo(['-f', 'parallels', path], ...writes);
      expect(await allocated(path)).toEqual(await mapData('-f', 'parallels', path));
    });
  });

  it('of images that we made, both magics and clusters of any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          magic: fc.constantFrom('WithoutFreeSpace', 'WithouFreSpacExt'),
          clusterSectors: fc.constantFrom(1, 8, 63, 128, 2048),
          diskSectors: fc.integer({ min: 1, max: 20_000 }),
        }),
        fc.array(fc.nat(), { maxLength: 30 }),
        async (shape, picks) => {
          const clusters = Math.ceil(shape.diskSectors / shape.clusterSectors);
          const spec = { ...shape, allocated: [...new Set(picks.map((pick) => pick % clusters))] };
          await withFolder(async (folder) => {
            const { path } = writeHds(join(folder, 'a.hds'), spec);
            const ours = await allocated(path);
            expect(ours).toEqual(await mapData('-f', 'parallels', path));
            expect(ours.length === 0).toBe(spec.allocated.length === 0);
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of stacks of images, raw root and all, which QEMU is told to open one on the other', async () => {
    const guid = (n: number): string => `{${n}0000000-0000-4000-8000-000000000000}`;
    const clusters = fc.uniqueArray(fc.nat(127), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(clusters, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (held, rawRoot) => {
          await withFolder(async (base) => {
            const images = held.map((_, i) => ({
              guid: i === 0 ? TOP_GUID : guid(i),
              file: `${i}.hds`,
              type: rawRoot && i === held.length - 1 ? 'Plain' : 'Compressed',
              parent: i === held.length - 1 ? NULL_GUID : guid(i + 1),
            }));
            const folder = writeHdd(join(base, 'd.hdd'), { images });
            let opened: object | undefined;
            for (const [i, own] of [...held.entries()].reverse()) {
              const filename = join(folder, `${i}.hds`);
              const raw = images[i]!.type === 'Plain';
              // The script kernel cannot tell holes of a raw file from data, so this one has none.
              if (raw) writeFileSync(filename, Buffer.alloc(524_288, 1));
              else writeHds(filename, { allocated: own });
              const file = { driver: 'file', filename };
              opened = { driver: raw ? 'raw' : 'parallels', file, ...(opened && { backing: opened }) };
            }
            expect(await allocated(folder)).toEqual(await mapData(`json:${JSON.stringify(opened)}`));
          });
        },
      ),
      { numRuns: 25 },
    );
  });
});
