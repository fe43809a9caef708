/** The disk of the contract for `DiskSource`, as each kind of source has it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openImage } from '../../lib/backend/image/imageSource.js';
import { findAgain, findDisk, listDisks } from '../../lib/backend/qemu/graph/vmDisks.js';
import { LiveDiskSource } from '../../lib/backend/qemu/live/liveSource.js';
import { SocketWay } from '../../lib/backend/qemu/socketHost.js';
import { acquireConnection, releaseConnection } from '../../lib/backend/qemu/vmConnection.js';
import type { BitmapInfo } from '../../lib/core/diskSource.js';
import { openOffSource } from '../../lib/host/offDisk.js';
import { loadKernel } from '../../lib/kernel/load.js';
import { MemorySource, rangesOf } from '../helpers/memorySource.js';
import { TOP_GUID, writeHdd, writeHds } from '../helpers/parallelsBuilder.js';
import { buildQcow2 } from '../helpers/qcow2Builder.js';
import { qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { bitmap, diskOf, layer } from '../helpers/states.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import {
  BASE_GRAIN,
  COARSE,
  COARSE_GRAINS,
  FINE,
  FINE_GRAINS,
  grains,
  KIB64,
  SIZE,
  type SourceSubject,
  ZERO_GRAIN,
} from './diskSource.js';

type Control = StorageDaemon['process']['control'];
const OWN = [...FINE_GRAINS, ...COARSE_GRAINS];
const kernel = await loadKernel();

/** A qcow2 image over another, built byte by byte. */
export async function qcow2Image(): Promise<SourceSubject> {
  const folder = await makeTemporaryFolder();
  const [top, base] = [join(folder.path, 'top'), join(folder.path, 'base')];
  const added: string[] = [];
  const write = async (): Promise<void> => {
    const bitmaps = [
      { name: FINE, dirty: FINE_GRAINS },
      { name: COARSE, granularityBits: 17, dirty: COARSE_GRAINS.map((grain) => grain >> 1) },
      ...added.map((name) => ({ name })),
    ];
    const clusters = new Map([
      ...OWN.map((grain) => [grain, 'data'] as const),
      [ZERO_GRAIN, 'zero'] as const,
    ]);
    const backing = { name: 'base', format: 'qcow2' };
    await writeFile(top, buildQcow2({ size: SIZE, backing, clusters, bitmaps }).bytes);
  };
  await writeFile(base, buildQcow2({ size: SIZE, clusters: new Map([[BASE_GRAIN, 'data']]) }).bytes);
  await write();
  return {
    open: () => openImage(top, { kernel, format: 'qcow2' }),
    addBitmap: (name) => {
      added.push(name);
      return write();
    },
    zeros: true,
    [Symbol.asyncDispose]: () => folder.remove(),
  };
}

/** A Parallels folder of two images. */
export async function parallelsFolder(): Promise<SourceSubject> {
  const folder = await makeTemporaryFolder();
  const ROOT = '{11111111-0000-4000-8000-000000000000}';
  const shape = { clusterSectors: KIB64 / 512, diskSectors: SIZE / 512 };
  const hdd = writeHdd(join(folder.path, 'd.hdd'), {
    ...shape,
    images: [
      { guid: TOP_GUID, file: 'top.hds', parent: ROOT },
      { guid: ROOT, file: 'root.hds' },
    ],
  });
  const added: string[] = [];
  const write = (): void => {
    const bitmaps = [
      { id: FINE, granularitySectors: KIB64 / 512, bits: FINE_GRAINS },
      { id: COARSE, granularitySectors: KIB64 / 256, bits: COARSE_GRAINS.map((grain) => grain >> 1) },
      ...added.map((id) => ({ id, bits: [] })),
    ];
    writeHds(join(hdd, 'top.hds'), { ...shape, allocated: OWN, bitmaps });
  };
  writeHds(join(hdd, 'root.hds'), { ...shape, allocated: [BASE_GRAIN] });
  write();
  return {
    open: () => openImage(hdd, { kernel }),
    addBitmap: async (name) => {
      added.push(name);
      write();
    },
    zeros: false,
    [Symbol.asyncDispose]: () => folder.remove(),
  };
}

/** The fake that unit tests of the core ask. */
export async function memory(): Promise<SourceSubject> {
  const bitmaps: BitmapInfo[] = [bitmap(FINE), bitmap(COARSE, { granularityBytes: 2 * KIB64 })];
  const state = () =>
    diskOf(layer([...bitmaps], { sizeBytes: SIZE }), layer([], { sizeBytes: SIZE, label: 'base.qcow2' }));
  const dirty = [
    new Map([
      [FINE, rangesOf([0, 1], [3 * KIB64, KIB64 + 1], [SIZE - 1, 1])],
      [COARSE, rangesOf([21 * KIB64, 1])],
    ]),
  ];
  const content = { dirty, allocated: [rangesOf(...grains(...OWN)), rangesOf(...grains(BASE_GRAIN))] };
  return {
    open: async () => new MemorySource(state, content),
    addBitmap: async (name) => {
      bitmaps.push(bitmap(name));
    },
    zeros: false,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A disk of a storage daemon that runs, written to as a guest would. */
export async function liveDisk(): Promise<SourceSubject> {
  const { daemon, folder } = await writtenByQemu();
  const connection = await acquireConnection(new SocketWay(daemon.process.file('qmp.sock')));
  const { client, server } = connection;
  const found = await findDisk(await listDisks(client), 'disk');
  const { control } = daemon.process;
  return {
    open: async () =>
      new LiveDiskSource({ client, server, kernel, disk: 'disk', find: (disks) => findAgain(disks, found) }),
    addBitmap: (name) => addBitmap(control, 'disk', name),
    zeros: true,
    leftovers: () => leftovers(control),
    [Symbol.asyncDispose]: async () => {
      await releaseConnection(connection);
      await daemon[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

/** The image of a VM that was stopped in order, by its path, or under the name that the disk has. */
export async function stoppedVm(disk?: string): Promise<SourceSubject> {
  const { daemon, folder, image } = await writtenByQemu();
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  await daemon[Symbol.asyncDispose]();
  return {
    open: () => openOffSource({ disk: disk ?? image, path: image, known: { format: 'qcow2' } }, kernel),
    addBitmap: async (name) => {
      await qemuImg('bitmap', '--add', '-g', String(KIB64), '-f', 'qcow2', image, name);
    },
    zeros: true,
    [Symbol.asyncDispose]: () => folder.remove(),
  };
}

export async function addBitmap(control: Control, node: string, name: string): Promise<void> {
  await control.execute('block-dirty-bitmap-add', { node, name, granularity: KIB64, persistent: true });
}

/** What of ours is in a QEMU. */
export async function leftovers(control: Control): Promise<string[]> {
  const nodes = (await control.execute('query-named-block-nodes')) as { 'node-name': string }[];
  const exports = (await control.execute('query-block-exports')) as { id: string }[];
  const names = [...nodes.map((node) => node['node-name']), ...exports.map(({ id }) => id)];
  return names.filter((name) => name.startsWith('cbt'));
}

const write = (grain: number): string =>
  `write -P 7 ${grain * KIB64} ${Math.min(KIB64, SIZE - grain * KIB64)}`;

/** Two images, one over the other; what the lower one has is in it. */
export async function makeBothImages() {
  const folder = await makeTemporaryFolder();
  const [image, base] = [join(folder.path, 'top.qcow2'), join(folder.path, 'base.qcow2')];
  await qemuImg('create', '-q', '-f', 'qcow2', base, String(SIZE));
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', image, String(SIZE));
  await qemuIo(['-f', 'qcow2', base], write(BASE_GRAIN));
  return { folder, image };
}

/** A guest writes what the contract says to the upper one: two bitmaps, each frozen when it has its part. */
export async function writeBothBitmaps(
  control: Control,
  node: string,
  guestIo: (command: string) => Promise<unknown>,
): Promise<void> {
  await guestIo(`write -z ${ZERO_GRAIN * KIB64} ${KIB64}`);
  for (const [name, granularity, dirty] of [
    [FINE, KIB64, FINE_GRAINS],
    [COARSE, 2 * KIB64, COARSE_GRAINS],
  ] as const) {
    await control.execute('block-dirty-bitmap-add', { node, name, granularity, persistent: true });
    for (const grain of dirty) await guestIo(write(grain));
    await control.execute('block-dirty-bitmap-disable', { node, name });
  }
}

/** QEMU makes the disk of the contract. */
async function writtenByQemu() {
  const { folder, image } = await makeBothImages();
  const daemon = await StorageDaemon.start({ disks: [{ node: 'disk', file: image }] });
  const { control } = daemon.process;
  await daemon.exportWritable('disk');
  await writeBothBitmaps(control, 'disk', (command) => daemon.guestIo('disk', command));
  await control.execute('block-export-del', { id: 'guest-disk' });
  await control.execute('nbd-server-stop');
  return { daemon, folder, image };
}
