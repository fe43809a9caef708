/**
 * Bitmaps of real images against QEMU's own reading of them: `qemu-img` and `qemu-io` write, `qemu-nbd -B` with `nbdinfo`
 * tells, and every range must be the same.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dirtyOf, everyKernel, withImage } from '../../../helpers/imageQuestions.js';
import { luksHeader } from '../../../helpers/luksHeader.js';
import { buildQcow2 } from '../../../helpers/qcow2Builder.js';
import { dirtyExtents, qemuImg, qemuIo, withFolder, writeRecorded } from '../../../helpers/qemuTools.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
const GRANULARITIES = [512, 4 * KIB, 64 * KIB, MIB, 64 * MIB, 2 * GIB];

const kernels = await everyKernel();
const plain = (path: string): string[] => ['-f', 'qcow2', path];

async function addBitmaps(image: string, granularities: readonly number[]): Promise<void> {
  const adds = granularities.map(
    (bytes) => () => qemuImg('bitmap', '--add', '-g', `${bytes}`, image, `g${bytes}`),
  );
  for (const add of adds) await add();
}

async function expectSame(
  image: string,
  bitmaps: readonly string[],
  imageArgs = plain(image),
): Promise<void> {
  for (const bitmap of bitmaps) {
    const expected = await dirtyExtents(bitmap, imageArgs);
    for (const kernel of kernels) {
      const found = await withImage(image, kernel, (source) => dirtyOf(source, [bitmap]));
      expect(found, `${bitmap} by the ${kernel.name} kernel`).toEqual(expected);
    }
  }
}

describe('every cluster size with every granularity', () => {
  it.each([512, KIB, 4 * KIB, 64 * KIB, 256 * KIB, 2 * MIB])('clusters of %i bytes', async (clusterBytes) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      const size = 37 * MIB + 3 * 512;
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', `cluster_size=${clusterBytes}`, image, `${size}`);
      await addBitmaps(image, GRANULARITIES);
      await writeRecorded(image, [
        [0, 512],
        [MIB - 512, KIB],
        [5 * MIB, 3 * MIB],
        [20 * MIB + 512, 512],
        [20 * MIB + 1536, 512],
        [size - 512, 512],
      ]);
      await expectSame(
        image,
        GRANULARITIES.map((bytes) => `g${bytes}`),
      );
    });
  });
});

describe('shapes', () => {
  it('a size that is no multiple of anything, with its last bit dirty', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      for (const size of [512, 1536, 65536 - 512, 65536 + 512, 32 * MIB + 512 * 7]) {
        await qemuImg('create', '-q', '-f', 'qcow2', image, `${size}`);
        await addBitmaps(image, [512, 64 * KIB, 2 * GIB]);
        await writeRecorded(image, [[size - 512, 512]]);
        await expectSame(image, ['g512', 'g65536', 'g2147483648']);
      }
    });
  });

  it('64 TiB, sparse, at the finest granularity QEMU allows by default and the coarsest', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=2M', image, `${64 * TIB}`);
      const granularities = [64 * KIB, 2 * GIB];
      await addBitmaps(image, granularities);
      await writeRecorded(image, [
        [0, 512],
        [3 * GIB + 512, 64 * KIB],
        [2 ** 42 - 512, KIB],
        [64 * TIB - 512, 512],
      ]);
      await expectSame(
        image,
        granularities.map((bytes) => `g${bytes}`),
      );
    });
  });

  it('alternating bits: as many ranges as there can be', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', image, `${2 * MIB}`);
      await addBitmaps(image, [512]);
      await writeRecorded(
        image,
        Array.from({ length: 2048 }, (_, i) => [i * KIB, 512] as const),
      );
      await expectSame(image, ['g512']);
    });
  });

  it('all of the disk dirty, and none of it', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', image, `${9 * MIB + 512}`);
      await addBitmaps(image, [4 * KIB]);
      await expectSame(image, ['g4096']);
      await writeRecorded(image, [[0, 9 * MIB + 512]]);
      await expectSame(image, ['g4096']);
    });
  });

  it('writes, zero writes and discards alike, and nothing while a bitmap is disabled', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', image, `${16 * MIB}`);
      await addBitmaps(image, [64 * KIB]);
      await qemuImg('bitmap', '--add', '--disable', image, 'off');
      await qemuIo(plain(image), 'write 0 64k', 'write -z 1M 64k', 'discard 2M 64k', 'write -c 4M 64k');
      await expectSame(image, ['g65536', 'off']);
      const state = await withImage(image, kernels[0]!, (source) => source.state());
      expect(state.layers[0]!.bitmaps.map(({ name, recording }) => [name, recording]).sort()).toEqual([
        ['g65536', true],
        ['off', false],
      ]);
    });
  });

  it('names of every kind', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', image, `${MIB}`);
      const names = [
        'x'.repeat(1023),
        'ein Name mit Leerzeichen',
        '磁盘–é',
        '{2DB90AF6-8E0B-4D2A-9B93-7B1A5D0F7A11}',
      ];
      for (const name of names) await qemuImg('bitmap', '--add', image, name);
      await writeRecorded(image, [[0, 512]]);
      const found = await withImage(image, kernels[0]!, async (source) => {
        const { layers } = await source.state();
        const { bitmaps } = layers[0]!;
        for (const { name } of bitmaps) expect(await dirtyOf(source, [name])).toEqual([[0, 64 * KIB]]);
        return bitmaps.map(({ name }) => name);
      });
      expect(found.sort()).toEqual(names.sort());
    });
  });
});

describe('kinds of image', () => {
  it.each([
    ['extended L2 entries', ['-o', 'extended_l2=on,cluster_size=64k']],
    ['narrow reference counts', ['-o', 'refcount_bits=1']],
    ['wide reference counts and zstd', ['-o', 'refcount_bits=64,compression_type=zstd']],
    ['lazy reference counts', ['-o', 'lazy_refcounts=on']],
    ['preallocated metadata', ['-o', 'preallocation=metadata']],
  ])('%s', async (_, options) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', ...options, image, `${20 * MIB + 512}`);
      await addBitmaps(image, [512, 64 * KIB]);
      await writeRecorded(image, [
        [512, 512],
        [7 * MIB, 130 * KIB],
        [20 * MIB, 512],
      ]);
      await expectSame(image, ['g512', 'g65536']);
    });
  });

  it.each(['on', 'off'])('an external data file, data_file_raw=%s', async (raw) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      const options = `data_file=${join(folder, 'data')},data_file_raw=${raw}`;
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, image, `${8 * MIB}`);
      await addBitmaps(image, [64 * KIB]);
      await writeRecorded(image, [[3 * MIB, 4 * KIB]]);
      await expectSame(image, ['g65536']);
    });
  });

  it.each(['luks', 'aes'])('encrypted by %s', async (format) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      const secret = ['--object', 'secret,id=s,data=password'];
      if (format === 'luks') {
        await writeFile(image, buildQcow2({ size: 8 * MIB, luksHeader: luksHeader('password') }).bytes);
      } else {
        const options = 'encrypt.format=aes,encrypt.key-secret=s';
        await qemuImg('create', '-q', '-f', 'qcow2', ...secret, '-o', options, image, `${8 * MIB}`);
      }
      const opened = `driver=qcow2,encrypt.key-secret=s,file.filename=${image}`;
      await qemuImg('bitmap', '--add', ...secret, '--image-opts', opened, 'b');
      await qemuIo([...secret, '--image-opts', opened], 'write 1M 64k', 'write 5M 512');
      await expectSame(image, ['b'], [...secret, '--image-opts', opened]);
      const state = await withImage(image, kernels[0]!, (source) => source.state());
      expect(state.layers[0]).toMatchObject({ sizeBytes: 8 * MIB, notes: [expect.stringContaining(format)] });
    });
  });

  it('one with internal snapshots', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', image, `${8 * MIB}`);
      await writeRecorded(image, [[0, MIB]]);
      await qemuImg('snapshot', '-c', 's', image);
      await addBitmaps(image, [64 * KIB]);
      await writeRecorded(image, [[512 * KIB, MIB]]);
      await expectSame(image, ['g65536']);
    });
  });
});

describe('several bitmaps', () => {
  it('are ORed as qemu-img merges them, at the coarsest granularity', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', image, `${40 * MIB + 512}`);
      const names: string[] = [];
      for (const [i, bytes] of [512, 8 * KIB, 64 * KIB, 4 * KIB].entries()) {
        const name = `part${i}`;
        names.push(name);
        await qemuImg('bitmap', '--add', '-g', `${bytes}`, image, name);
        await writeRecorded(image, [
          [i * 9 * MIB, 512 + i * 3 * KIB],
          [i * 300 * KIB + 512, 512],
        ]);
        await qemuImg('bitmap', '--disable', image, name);
      }
      await qemuImg('bitmap', '--add', '--disable', '-g', '65536', image, 'sum');
      for (const name of names) await qemuImg('bitmap', '--merge', name, image, 'sum');
      const expected = await dirtyExtents('sum', plain(image));
      expect(expected.length).toBeGreaterThan(4);
      for (const kernel of kernels) {
        await withImage(image, kernel, async (source) => {
          expect(await dirtyOf(source, names)).toEqual(expected);
          expect(await dirtyOf(source, ['sum', ...names])).toEqual(expected);
          expect(await dirtyOf(source, names, 64 * KIB)).toEqual(expected);
        });
      }
    });
  });

  it('on two layers are cut at the size of their own layer', async () => {
    await withFolder(async (folder) => {
      const [base, top] = [join(folder, 'base'), join(folder, 'top')];
      await qemuImg('create', '-q', '-f', 'qcow2', base, `${3 * MIB + 512}`);
      await addBitmaps(base, [MIB]);
      await writeRecorded(base, [[3 * MIB, 512]]);
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', top, `${8 * MIB}`);
      await addBitmaps(top, [64 * KIB]);
      await writeRecorded(top, [[6 * MIB, 512]]);
      for (const kernel of kernels) {
        await withImage(top, kernel, async (source) => {
          const below = { layer: 1, name: 'g1048576' };
          expect(await dirtyOf(source, [below])).toEqual([[3 * MIB, 512]]);
          expect(await dirtyOf(source, [below, 'g65536'])).toEqual([
            [3 * MIB, 512],
            [6 * MIB, 64 * KIB],
          ]);
        });
      }
    });
  });
});
