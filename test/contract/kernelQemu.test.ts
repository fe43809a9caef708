/** Every kernel against QEMU itself: allocation of real images, and who holds one open. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterClass } from '../../lib/core/bitmapKernel.js';
import { readTables } from '../helpers/clusterTables.js';
import { type Holding, ImageHolder } from '../helpers/imageHolder.js';
import { kernels, nativeKernels } from '../helpers/kernels.js';
import { type Extent, mapData, mapTopLayer, qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { allPages } from '../helpers/shadow.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

interface Image {
  name: string;
  options: string;
  size: string;
  commands: readonly string[];
}

const mixed = [
  'write -P 1 0 1',
  'write -P 2 1M 200k',
  'write -z 3M 1M',
  'write -P 3 3500k 4k',
  'write -z -u 9M 64k',
  'discard 1100k 64k',
  'write -P 4 15M 1M',
];
const images: Image[] = [
  { name: 'clusters of 64 KiB', options: 'cluster_size=64k', size: '16M', commands: mixed },
  { name: 'clusters of 512 bytes', options: 'cluster_size=512', size: '16M', commands: mixed },
  { name: 'clusters of 2 MiB', options: 'cluster_size=2M', size: '16M', commands: mixed },
  {
    name: 'version 2',
    options: 'compat=0.10',
    size: '16M',
    commands: mixed.filter((command) => !command.includes('-z')),
  },
  {
    name: 'extended L2 entries',
    options: 'extended_l2=on,cluster_size=64k',
    size: '16M',
    commands: [...mixed, 'write -P 5 6M 2k', 'write -P 6 6150k 1', 'write -z 6300k 6k', 'write -z 8M 2k'],
  },
  {
    name: 'extended L2 entries of 16 KiB',
    options: 'extended_l2=on,cluster_size=16k',
    size: '16M',
    commands: mixed,
  },
  {
    name: 'compressed clusters',
    options: 'cluster_size=64k',
    size: '16M',
    commands: ['write -c -P 7 64k 64k', 'write -c -P 8 5M 64k', 'write -P 9 5184k 64k'],
  },
  {
    name: 'compressed clusters among extended entries',
    options: 'extended_l2=on,cluster_size=64k',
    size: '16M',
    commands: ['write -c -P 7 64k 64k', 'write -P 9 192k 4k'],
  },
  {
    name: 'metadata allocated in advance',
    options: 'preallocation=metadata',
    size: '16M',
    commands: ['write -P 1 1M 64k', 'write -z 2M 1M'],
  },
  {
    name: 'metadata allocated in advance, extended',
    options: 'preallocation=metadata,extended_l2=on',
    size: '16M',
    commands: ['write -P 1 1M 4k', 'write -z 2M 3k'],
  },
  {
    name: 'a size that ends within a cluster',
    options: 'cluster_size=64k',
    size: '1000448',
    commands: ['write -P 1 950k 27k'],
  },
  { name: 'nothing written', options: 'cluster_size=64k', size: '100G', commands: [] },
  {
    name: 'far apart',
    options: 'cluster_size=64k',
    size: '4T',
    commands: ['write -P 1 0 64k', 'write -P 1 2T 64k', 'write -z 3T 1M', 'write -P 1 4398046445568 64k'],
  },
];

describe('allocation of real images', () => {
  const check = async (path: string, sizeOfMap: Record<ClusterClass, Extent[]>) => {
    const { tables, sizeBytes, close } = await readTables(path);
    try {
      for (const { kernel, label } of kernels) {
        for (const wanted of ['data', 'allocated'] as const) {
          const whole = { startBytes: 0, endBytes: sizeBytes, maxRanges: 3 };
          const { page } = await allPages((window) => kernel.scanClusters(tables, wanted, window), whole);
          const found: Extent[] = [];
          for (let i = 0; i < page.ranges.length; i += 2) found.push([page.ranges[i]!, page.ranges[i + 1]!]);
          expect(found, `${label}, ${wanted}`).toEqual(sizeOfMap[wanted]);
        }
      }
    } finally {
      await close();
    }
  };

  it.each(images)('$name', async ({ name, options, size, commands }) => {
    const path = join(folder.path, `${name}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, size);
    if (commands.length > 0) await qemuIo(['-d', 'unmap', path], ...commands);
    await check(path, { data: await mapData(path), allocated: await mapTopLayer(path) });
  });

  it('an external data file', async () => {
    const path = join(folder.path, 'external.qcow2');
    await qemuImg(
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `data_file=${join(folder.path, 'external.raw')}`,
      path,
      '16M',
    );
    await qemuIo([path], ...mixed);
    const data = await mapData(path);
    expect(data[0]).toEqual([0, 65536]);
    await check(path, { data, allocated: await mapTopLayer(path) });
  });

  it('an external data file with extended entries', async () => {
    const path = join(folder.path, 'external2.qcow2');
    const options = `extended_l2=on,data_file=${join(folder.path, 'external2.raw')}`;
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, '16M');
    await qemuIo([path], ...mixed);
    await check(path, { data: await mapData(path), allocated: await mapTopLayer(path) });
  });

  it('an internal snapshot, which shares every cluster', async () => {
    const path = join(folder.path, 'snapshot.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '16M');
    await qemuIo([path], ...mixed);
    await qemuImg('snapshot', '-c', 'one', path);
    await check(path, { data: await mapData(path), allocated: await mapTopLayer(path) });
    await qemuIo([path], 'write -P 9 4M 1M');
    await check(path, { data: await mapData(path), allocated: await mapTopLayer(path) });
  });

  it('an overlay, of which only its own clusters count', async () => {
    const base = join(folder.path, 'base.qcow2');
    const path = join(folder.path, 'overlay.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', base, '16M');
    await qemuIo([base], 'write -P 1 0 16M');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', path);
    await qemuIo([path], 'write -P 2 2M 64k', 'write -z 4M 1M', 'write -z 5500k 1');
    // What the overlay holds itself, and of that what is no explicit zero.
    await check(path, {
      data: [
        [2 << 20, 65536],
        [5570560, 65536],
      ],
      allocated: await mapTopLayer(path),
    });
  });
});

const FREE = { writer: false, writersForbidden: false };
const READER = { writer: false, writersForbidden: true };
const WRITER = { writer: true, writersForbidden: true };
const holdings: [Holding, object][] = [
  ['daemon rw', WRITER],
  ['daemon ro', READER],
  ['io rw', WRITER],
  ['io ro', READER],
  ['io shared', FREE],
  ['nbd rw', WRITER],
  ['nbd ro', READER],
];

describe('who holds an image open', () => {
  const states = async (path: string): Promise<object[]> => {
    const handle = await open(path, 'r');
    try {
      return await Promise.all(kernels.map(({ kernel }) => kernel.lockState(handle.fd)));
    } finally {
      await handle.close();
    }
  };
  const all = (state: object): object[] => kernels.map(() => state);
  const makeImage = async (name: string): Promise<string> => {
    const path = join(folder.path, name);
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    return path;
  };

  it.each(holdings)('%s', async (holding, state) => {
    const path = await makeImage(`${holding.replace(' ', '-')}.qcow2`);
    const other = await makeImage(`${holding.replace(' ', '-')}-other.qcow2`);
    expect(await states(path)).toEqual(all(FREE));
    const holder = await ImageHolder.hold(path, holding);
    try {
      expect(await states(path)).toEqual(all(state));
      expect(await states(other)).toEqual(all(FREE));
    } finally {
      await holder.release();
    }
    expect(await states(path)).toEqual(all(FREE));
  });

  it('two readers, until the last is gone', async () => {
    const path = await makeImage('two.qcow2');
    const [first, second] = [
      await ImageHolder.hold(path, 'io ro'),
      await ImageHolder.hold(path, 'daemon ro'),
    ];
    expect(await states(path)).toEqual(all(READER));
    await first.release();
    expect(await states(path)).toEqual(all(READER));
    await second.release();
    expect(await states(path)).toEqual(all(FREE));
  });

  it('a lock on the whole file is none of QEMU', async () => {
    const path = await makeImage('flock.qcow2');
    const child = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; read line']);
    await once(child.stdout, 'data');
    expect(await states(path)).toEqual(all(FREE));
    child.stdin.end('\n');
    await once(child, 'exit');
  });
});

describe.each(nativeKernels)('an image that is held by us ($label)', ({ kernel }) => {
  it('is refused to every QEMU but one that shares all, until it is closed', async () => {
    const path = join(folder.path, `held-${kernel.path}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    const handle = await open(path, 'r');
    expect(await kernel.holdImage?.(handle.fd)).toBe(true);
    for (const holding of ['daemon rw', 'daemon ro', 'io rw', 'io ro'] as const)
      await expect(ImageHolder.hold(path, holding), holding).rejects.toThrow(/lock/);
    await (await ImageHolder.hold(path, 'io shared')).release();
    await handle.close();
    await (await ImageHolder.hold(path, 'io rw')).release();
  });

  it('is not held where a QEMU has it', async () => {
    const path = join(folder.path, `taken-${kernel.path}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    const holder = await ImageHolder.hold(path, 'daemon ro');
    const handle = await open(path, 'r');
    expect(await kernel.holdImage?.(handle.fd)).toBe(false);
    await holder.release();
    await (await ImageHolder.hold(path, 'io rw')).release();
    expect(await kernel.holdImage?.(handle.fd)).toBe(true);
    await handle.close();
  });
});
