/** qcow2 files of our own making, held against QEMU: `qemu-img check` finds nothing, and the disk reads as it was told. */
import { execFile } from 'node:child_process';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NewLayer, type NewLayerOptions } from '../../../../lib/host/newLayer.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

const KiB = 1024;
const MiB = KiB * KiB;
const GiB = KiB * MiB;
const TiB = KiB * GiB;
const file = (name: string) => join(folder.path, name);
let made = 0;
/** A file made by `work`, and checked by QEMU; its path. */
async function makeLayer(
  options: NewLayerOptions,
  work: (layer: NewLayer) => Promise<unknown>,
): Promise<string> {
  made += 1;
  const path = file(`layer-${made}.qcow2`);
  const layer = await NewLayer.create(path, options);
  try {
    await work(layer);
    await layer.finish();
  } finally {
    await layer.close();
  }
  // Exit code 0 only where there is neither an error nor a leak.
  const check = JSON.parse(await qemuImg('check', '--output=json', '-f', 'qcow2', path)) as object;
  expect(check).toMatchObject({ 'check-errors': 0, 'image-end-offset': (await stat(path)).size });
  return path;
}

interface Step {
  kind: 'data' | 'zero' | 'skip';
  clusters: number;
  fill: number;
}

const stepsOf = (most: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('data' as const, 'zero' as const, 'skip' as const),
      clusters: fc.integer({ min: 1, max: most }),
      fill: fc.integer({ min: 1, max: 255 }),
    }),
    { maxLength: 60 },
  );

/** Makes a layer by the steps, and the same disk as a raw file, over `below` where the layer is silent. */
async function makeBoth(options: NewLayerOptions, steps: readonly Step[], below: string): Promise<string> {
  const { sizeBytes, clusterBytes } = options;
  const raw = file('expected.raw');
  await promisify(execFile)('cp', ['--sparse=always', below, raw]);
  const expected = await open(raw, 'r+');
  try {
    return await makeLayer(options, async (layer) => {
      let at = 0;
      const writes: Promise<void>[] = [];
      for (const { kind, clusters, fill } of steps) {
        const most = (clusterBytes / 8) * clusterBytes;
        const length = Math.min(clusters * clusterBytes, most, sizeBytes - at);
        if (length <= 0) break;
        if (kind !== 'skip') {
          const data = Buffer.alloc(length, kind === 'zero' ? 0 : fill);
          writes.push(kind === 'zero' ? layer.zero(at, length) : layer.write(at, data));
          await expected.write(data, 0, length, at);
        }
        at += length;
      }
      await Promise.all(writes);
    });
  } finally {
    await expected.close();
  }
}

describe('a new layer', () => {
  test.each([512, 4 * KiB, 64 * KiB, 2 * MiB])(
    'reads as it was written, over what is below, with clusters of %i bytes',
    async (clusterBytes) => {
      const seen = { data: 0, zero: 0 };
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 40 * MiB }),
          stepsOf(clusterBytes < 64 * KiB ? 3000 : 20),
          async (sectors, steps) => {
            const sizeBytes = Math.min(sectors, (40 * MiB) / 512) * 512;
            const below = file('below.raw');
            await qemuImg('create', '-q', '-f', 'raw', below, String(sizeBytes));
            await qemuIo(['-f', 'raw', below], `write -P 7 0 ${Math.min(sizeBytes, 8 * MiB)}`);
            await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', below, file('below.qcow2'));
            const options = { clusterBytes, sizeBytes, backing: 'below.qcow2' };
            const layer = await makeBoth(options, steps, below);
            await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', layer, file('expected.raw'));
            for (const { kind } of steps) if (kind !== 'skip') seen[kind] += 1;
          },
        ),
        { numRuns: 12 },
      );
      expect(seen.data * seen.zero).toBeGreaterThan(0);
    },
  );

  test('tells zeros of its own from what it leaves to the layer below', async () => {
    const options = { clusterBytes: 64 * KiB, sizeBytes: 5 * 64 * KiB + 512, backing: null };
    const layer = await makeLayer(options, async (it) => {
      await it.write(0, Buffer.alloc(64 * KiB, 1));
      await it.zero(2 * 64 * KiB, 64 * KiB);
      await it.write(5 * 64 * KiB, Buffer.alloc(512, 2));
    });
    const map = JSON.parse(await qemuImg('map', '--output=json', '-f', 'qcow2', layer)) as object[];
    expect(map).toMatchObject([
      { start: 0, length: 64 * KiB, data: true, present: true },
      { length: 64 * KiB, data: false, present: false },
      { length: 64 * KiB, data: false, zero: true, present: true },
      { length: 2 * 64 * KiB, data: false, present: false },
      { length: 512, data: true, present: true },
    ]);
  });

  test('an empty one, one of no bytes, and one of 64 TiB with data at its ends', async () => {
    await makeLayer({ clusterBytes: 64 * KiB, sizeBytes: 8 * MiB, backing: null }, async () => undefined);
    await makeLayer({ clusterBytes: 64 * KiB, sizeBytes: 0, backing: null }, async () => undefined);
    const sizeBytes = 64 * TiB + 512;
    const layer = await makeLayer({ clusterBytes: 64 * KiB, sizeBytes, backing: null }, async (it) => {
      await it.write(0, Buffer.alloc(64 * KiB, 3));
      await it.write(40 * TiB, Buffer.alloc(MiB, 4));
      await it.zero(41 * TiB, 512 * MiB);
      await it.write(64 * TiB, Buffer.alloc(512, 5));
    });
    const { size } = await stat(layer);
    expect(size).toBeLessThan(4 * MiB);
    await qemuIo(
      ['-r', '-f', 'qcow2', layer],
      'read -P 3 0 64k',
      `read -P 4 ${40 * TiB} 1M`,
      `read -P 0 ${41 * TiB} 1M`,
      `read -P 5 ${64 * TiB} 512`,
    );
  });

  test('can be written to, grown and shrunk by QEMU afterwards', async () => {
    const layer = await makeLayer({ clusterBytes: 512, sizeBytes: 20 * MiB, backing: null }, async (it) => {
      for (let at = 0; at < 20 * MiB; at += 32 * KiB) await it.write(at, Buffer.alloc(32 * KiB, 9));
    });
    const disk = ['-f', 'qcow2', layer];
    await qemuImg('resize', '-q', '-f', 'qcow2', layer, '30M');
    await qemuIo(disk, 'write -P 5 25M 1M', 'write -z 1M 1M', 'discard 2M 1M', 'read -P 9 3M 17M');
    await qemuImg('resize', '-q', '--shrink', '-f', 'qcow2', layer, '4M');
    await qemuIo(disk, 'read -P 9 0 1M', 'read -P 0 1M 1M', 'read -P 9 3M 1M');
    await qemuImg('check', '-q', '-f', 'qcow2', layer);
  });

  test('is no image before it is finished', async () => {
    const path = file('half');
    const layer = await NewLayer.create(path, { clusterBytes: 512, sizeBytes: MiB, backing: null });
    await layer.write(0, Buffer.alloc(32 * KiB, 1));
    await layer.close();
    await expect(qemuImg('info', '-f', 'qcow2', path)).rejects.toThrow('not in qcow2 format');
  });
});

describe('refused', () => {
  const options = { clusterBytes: 64 * KiB, sizeBytes: 2 * GiB + 512, backing: null };

  test.each<[string, Partial<NewLayerOptions>]>([
    ['a cluster that is no power of two', { clusterBytes: 65_000 }],
    ['a cluster too small', { clusterBytes: 256 }],
    ['a cluster too large', { clusterBytes: 4 * MiB }],
    ['a size between sectors', { sizeBytes: 1000 }],
    ['a size below nothing', { sizeBytes: -512 }],
    ['a size that QEMU would not open', { clusterBytes: 512, sizeBytes: TiB }],
  ])('%s, and no file is made', async (_what, wrong) => {
    const error = await refusalOf(NewLayer.create(file('x'), { ...options, ...wrong }));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    await expect(stat(file('x'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a file that exists is left alone', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', file('there'), '1M');
    await expect(NewLayer.create(file('there'), options)).rejects.toMatchObject({ code: 'EEXIST' });
    await qemuImg('check', '-q', '-f', 'qcow2', file('there'));
  });

  test('what is out of order, not whole, or outside; the layer can go on', async () => {
    const cluster = Buffer.alloc(64 * KiB, 1);
    await makeLayer(options, async (layer) => {
      await layer.write(64 * KiB, cluster);
      const wrong = [
        () => layer.write(0, cluster),
        () => layer.write(64 * KiB, cluster),
        () => layer.zero(64 * KiB, 64 * KiB),
        () => layer.write(128 * KiB + 512, cluster),
        () => layer.write(128 * KiB, cluster.subarray(0, 512)),
        () => layer.write(128 * KiB, Buffer.alloc(0)),
        () => layer.zero(128 * KiB, 512 * MiB + 64 * KiB),
        () => layer.zero(128 * KiB, Number.NaN),
        () => layer.zero(2 * GiB, 1024),
        () => layer.zero(2 * GiB + 64 * KiB, 64 * KiB),
      ];
      for (const [i, call] of wrong.entries())
        expect((await refusalOf(call())).code, String(i)).toBe('ERR_CBT_INVALID_ARGUMENT');
      await layer.write(2 * GiB, cluster.subarray(0, 512));
    });
  });

  test('by a full file system: its error, after every write has ended', async () => {
    const mount = file('small');
    await promisify(execFile)('mkdir', [mount]);
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
    try {
      const layer = await NewLayer.create(join(mount, 'x'), options);
      const writes = Array.from({ length: 8 }, (_, i) => layer.write(i * MiB, Buffer.alloc(MiB, i + 1)));
      const ends = await Promise.allSettled(writes);
      expect(ends[0]?.status).toBe('fulfilled');
      expect(ends.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'ENOSPC' } });
      await layer.close();
    } finally {
      await promisify(execFile)('umount', [mount]);
    }
  });
});
