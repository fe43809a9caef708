/**
 * What holds data, against `qemu-img map` on the same files: every kind of cluster and image, and chains whose layers differ
 * in size, format and cluster size.
 */
import { execFile } from 'node:child_process';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { allocatedOf, everyKernel, withImage } from '../../../helpers/imageQuestions.js';
import { luksHeader } from '../../../helpers/luksHeader.js';
import { buildQcow2 } from '../../../helpers/qcow2Builder.js';
import { mapData, mapTopLayer, qemuImg, qemuIo, withFolder } from '../../../helpers/qemuTools.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const kernels = await everyKernel();
const plain = (path: string): string[] => ['-f', 'qcow2', path];

async function expectSame(image: string, imageArgs = plain(image)): Promise<void> {
  const [data, top] = [await mapData(...imageArgs), await mapTopLayer(...imageArgs)];
  for (const kernel of kernels) {
    await withImage(image, kernel, async (source) => {
      expect(await allocatedOf(source), `data by the ${kernel.name} kernel`).toEqual(data);
      expect(await allocatedOf(source, 1), `top layer by the ${kernel.name} kernel`).toEqual(top);
    });
  }
}

const create = (path: string, size: number, ...options: string[]): Promise<string> =>
  qemuImg('create', '-q', '-f', 'qcow2', ...options, path, `${size}`);

const COMMANDS = [
  'write 0 512',
  'write 1M 1M',
  'write 4M 3k',
  'write -z 1536k 256k',
  'write -z 8M 1M',
  'write -z -u 9M 128k',
  'discard 1280k 64k',
  'write 12287k 1k',
];

describe('one layer', () => {
  it.each([512, KIB, 4 * KIB, 64 * KIB, 2 * MIB])('clusters of %i bytes', async (clusterBytes) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await create(image, 12 * MIB + 512, '-o', `cluster_size=${clusterBytes}`);
      await expectSame(image);
      await qemuIo(plain(image), ...COMMANDS);
      await expectSame(image);
    });
  });

  it.each([16 * KIB, 64 * KIB, 128 * KIB, 2 * MIB])(
    'extended L2 entries, clusters of %i bytes',
    async (clusterBytes) => {
      await withFolder(async (folder) => {
        const image = join(folder, 'disk');
        await create(image, 12 * MIB + 512, '-o', `extended_l2=on,cluster_size=${clusterBytes}`);
        await qemuIo(plain(image), ...COMMANDS, 'write 6M 512', 'write 6150k 512', 'write -z 6147k 1k');
        await expectSame(image);
      });
    },
  );

  it.each(['zlib', 'zstd'])('compressed clusters, %s', async (type) => {
    await withFolder(async (folder) => {
      const [source, image] = [join(folder, 'source'), join(folder, 'disk')];
      await create(source, 12 * MIB + 512);
      await qemuIo(plain(source), ...COMMANDS);
      await qemuImg(
        'convert',
        '-c',
        '-O',
        'qcow2',
        '-o',
        `compression_type=${type}`,
        ...plain(source),
        image,
      );
      await expectSame(image);
      await qemuIo(plain(image), 'write 1100k 512');
      await expectSame(image);
    });
  });

  it.each(['metadata', 'falloc', 'full'])('preallocation %s', async (mode) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await create(image, 5 * MIB + 512, '-o', `preallocation=${mode}`);
      await qemuIo(plain(image), 'write 1M 64k', 'discard 2M 1M');
      await expectSame(image);
    });
  });

  it('version 2', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await create(image, 12 * MIB + 512, '-o', 'compat=0.10');
      await qemuIo(plain(image), ...COMMANDS);
      await expectSame(image);
    });
  });

  it.each(['on', 'off'])('an external data file, data_file_raw=%s', async (raw) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await create(image, 12 * MIB, '-o', `data_file=${join(folder, 'data')},data_file_raw=${raw}`);
      await expectSame(image);
      await qemuIo(plain(image), ...COMMANDS);
      await expectSame(image);
    });
  });

  it.each(['luks', 'aes'])('encrypted by %s', async (format) => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      const secret = ['--object', 'secret,id=s,data=password'];
      if (format === 'luks') {
        await writeFile(image, buildQcow2({ size: 12 * MIB, luksHeader: luksHeader('password') }).bytes);
      } else {
        await create(image, 12 * MIB, ...secret, '-o', 'encrypt.format=aes,encrypt.key-secret=s');
      }
      const opened = [...secret, '--image-opts', `driver=qcow2,encrypt.key-secret=s,file.filename=${image}`];
      await qemuIo(opened, ...COMMANDS);
      await expectSame(image, opened);
    });
  });

  it('internal snapshots, which share clusters with the active layer', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      await create(image, 12 * MIB);
      await qemuIo(plain(image), ...COMMANDS);
      await qemuImg('snapshot', '-c', 's', image);
      await qemuIo(plain(image), 'write 5M 64k', 'discard 1M 64k');
      await expectSame(image);
    });
  });

  it('8 TiB with data at both ends and around L2 table borders', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk');
      const size = 8192 * GIB;
      await create(image, size);
      const border = 512 * MIB;
      await qemuIo(
        plain(image),
        'write 0 512',
        `write ${border - 512} 1k`,
        `write ${5000 * border} 64k`,
        `write ${size - 512} 512`,
      );
      await expectSame(image);
    });
  });
});

describe('chains', () => {
  it('three layers, each larger or smaller than the one below, with other cluster sizes', async () => {
    for (const [baseSize, midSize, topSize] of [
      [4 * MIB + 512, 9 * MIB + 1024, 6 * MIB],
      [9 * MIB, 4 * MIB + 512, 12 * MIB + 512],
      [6 * MIB + 512, 6 * MIB + 512, 6 * MIB + 512],
      [12 * MIB, 9 * MIB + 512, 4 * MIB + 512],
    ] as const) {
      await withFolder(async (folder) => {
        const [base, mid, top] = [join(folder, 'base'), join(folder, 'mid'), join(folder, 'top')];
        await create(base, baseSize, '-o', 'cluster_size=4k');
        await qemuIo(plain(base), 'write 0 1M', 'write 2M 2M', `write ${baseSize - 512} 512`);
        await create(mid, midSize, '-b', 'base', '-F', 'qcow2', '-o', 'extended_l2=on,cluster_size=64k');
        await qemuIo(
          plain(mid),
          'write 512k 64k',
          'write -z 2M 512k',
          'write 3M 512',
          `write ${midSize - 512} 512`,
        );
        await create(top, topSize, '-b', 'mid', '-F', 'qcow2', '-o', 'cluster_size=256k');
        await expectSame(top);
        await qemuIo(
          plain(top),
          'write 520k 512',
          'write -z 3M 256k',
          'write -z 0 256k',
          `write ${topSize - 512} 512`,
        );
        await expectSame(top);
        const below = await mapTopLayer(...plain(mid));
        expect(below.length).toBeGreaterThan(1);
      });
    }
  });

  it('a raw layer at the bottom: holes stay holes where the file system can tell', async () => {
    await withFolder(async (folder) => {
      const [base, top] = [join(folder, 'base.raw'), join(folder, 'top')];
      await writeAt(base, 8 * MIB + 700, [0, 3 * MIB, 8 * MIB]);
      await create(top, 10 * MIB, '-b', 'base.raw', '-F', 'raw');
      await qemuIo(plain(top), 'write 1M 64k', 'write -z 3M 64k');
      const expected = await mapData(...plain(top));
      for (const kernel of kernels) {
        const found = await withImage(top, kernel, (source) => allocatedOf(source));
        // Without SEEK_DATA the script kernel calls all of a raw file data.
        if (kernel.name === 'native') expect(found).toEqual(expected);
        else
          expect(found).toEqual([
            [0, 3 * MIB],
            [3 * MIB + 64 * KIB, 5 * MIB + 700 - 64 * KIB],
          ]);
      }
    });
  });

  it('a raw image by itself', async () => {
    await withFolder(async (folder) => {
      const image = join(folder, 'disk.raw');
      await writeAt(image, 4 * MIB + 100, [MIB, 4 * MIB]);
      const expected = await mapData('-f', 'raw', image);
      for (const kernel of kernels) {
        const [found, top] = await withImage(image, kernel, async (source) => [
          await allocatedOf(source),
          await allocatedOf(source, 1),
        ]);
        expect(found).toEqual(kernel.name === 'native' ? expected : [[0, 4 * MIB + 100]]);
        expect(top).toEqual([[0, 4 * MIB + 512]]);
      }
    });
  });

  it.each([
    [
      'a json: name',
      (base: string) =>
        `json:${JSON.stringify({ driver: 'qcow2', file: { driver: 'file', filename: base } })}`,
    ],
    ['a file: name', (base: string) => `file:${base}`],
    ['a relative name through a folder', () => './../x/base'],
  ])('%s', async (_, name) => {
    await withFolder(async (folder) => {
      const inner = join(folder, 'x');
      await promisify(execFile)('mkdir', [inner]);
      const [base, top] = [join(inner, 'base'), join(inner, 'top')];
      await create(base, 4 * MIB);
      await qemuIo(plain(base), 'write 1M 64k');
      await create(top, 4 * MIB, '-b', name(base), '-F', 'qcow2');
      await qemuIo(plain(top), 'write 2M 64k');
      await expectSame(top);
    });
  });

  it('a backing file without a format, which QEMU probes', async () => {
    await withFolder(async (folder) => {
      const [base, top] = [join(folder, 'base'), join(folder, 'top')];
      await create(base, 4 * MIB);
      await qemuIo(plain(base), 'write 1M 64k');
      await writeFile(top, buildQcow2({ size: 4 * MIB, backing: { name: 'base' } }).bytes);
      await qemuIo(plain(top), 'write 2M 64k');
      await expectSame(top);
      expect((await withImage(top, kernels[0]!, (source) => source.state())).layers[1]).toMatchObject({
        format: 'qcow2',
      });
    });
  });

  it('a Parallels image at the bottom', async () => {
    await withFolder(async (folder) => {
      const [plainBase, base, top] = [join(folder, 'plain'), join(folder, 'base.hds'), join(folder, 'top')];
      await create(plainBase, 8 * MIB);
      await qemuIo(plain(plainBase), 'write 0 64k', 'write 3M 1M', 'write 7M 512');
      await qemuImg('convert', ...plain(plainBase), '-O', 'parallels', base);
      await create(top, 9 * MIB, '-b', 'base.hds', '-F', 'parallels');
      await qemuIo(plain(top), 'write 1M 64k', 'write -z 3M 64k');
      await expectSame(top);
      const { layers } = await withImage(top, kernels[0]!, (source) => source.state());
      expect(layers[1]).toMatchObject({ format: 'parallels', sizeBytes: 8 * MIB });
    });
  });

  it('a qcow2 file called raw is raw', async () => {
    await withFolder(async (folder) => {
      const [base, top] = [join(folder, 'base'), join(folder, 'top')];
      await create(base, 4 * MIB);
      await create(top, 4 * MIB, '-b', 'base', '-F', 'raw');
      const expected = await mapData(...plain(top));
      for (const kernel of kernels) {
        const found = await withImage(top, kernel, (source) => allocatedOf(source));
        if (kernel.name === 'native') expect(found).toEqual(expected);
        expect(found[0]![0]).toBe(0);
      }
    });
  });
});

/** A sparse file of this size with 64 KiB of data at each offset, as far as it reaches. */
async function writeAt(path: string, size: number, offsets: readonly number[]): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (const offset of offsets) {
      await file.write(Buffer.alloc(Math.min(64 * KIB, size - offset), 7), 0, undefined, offset);
    }
  } finally {
    await file.close();
  }
  await truncate(path, size);
}
