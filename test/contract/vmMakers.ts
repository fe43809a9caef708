/** The VM of the contracts for `Vm` and `Session`, as each maker has it: two qcow2 disks, a guest that can write. */
import { link, mkdir, open, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { connectionOver } from '../../lib/backend/qemu/vmConnection.js';
import { VmHandle } from '../../lib/backend/qemu/vmHandle.js';
import type { Vm } from '../../lib/core/vm.js';
import { BoundedVm } from '../../lib/host/boundedVm.js';
import { openVm } from '../../lib/host/openVm.js';
import { loadKernel } from '../../lib/kernel/load.js';
import { OwnedHost, PipeOwner, PipePort } from '../helpers/pipePort.js';
import { qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { DISK_BYTES, DISKS, type MakeVm, type VmSubject } from './vm.js';

async function images() {
  const folder = await makeTemporaryFolder();
  const image = (disk: string): string => join(folder.path, `${disk}.qcow2`);
  for (const disk of DISKS) await qemuImg('create', '-q', '-f', 'qcow2', image(disk), String(DISK_BYTES));
  return { folder, image };
}

interface Reached {
  vm: Vm;
  again: () => Promise<Vm>;
  /** What else the way to it needs, to be ended after it. */
  way?: AsyncDisposable;
}

/** A storage daemon with a guest's exports, reached as `reach` does. */
async function onDaemon(
  reach: (daemon: StorageDaemon, at: Awaited<ReturnType<typeof images>>) => Promise<Reached>,
): Promise<VmSubject> {
  const { folder, image } = await images();
  const daemon = await StorageDaemon.start({ disks: DISKS.map((node) => ({ node, file: image(node) })) });
  await daemon.exportWritable(...DISKS);
  const { vm, again, way } = await reach(daemon, { folder, image });
  return {
    vm,
    again,
    image,
    guestIo: async (disk, command) => void (await daemon.guestIo(disk, command)),
    spoil: (disk) => takeNewestBitmap(daemon, disk),
    twoOfAName: () => addTwins(daemon, folder.path),
    async [Symbol.asyncDispose]() {
      await vm.close();
      await way?.[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

/** Somebody takes the bitmap that records away: what is written from now on nobody knows. */
async function takeNewestBitmap({ process: { control } }: StorageDaemon, node: string): Promise<void> {
  const nodes = (await control.execute('query-named-block-nodes')) as {
    'node-name': string;
    'dirty-bitmaps'?: { name: string; recording: boolean }[];
  }[];
  const found = nodes.find((one) => one['node-name'] === node)?.['dirty-bitmaps'] ?? [];
  const name = found.find(({ recording, name: its }) => recording && its.startsWith('cbt1.'))?.name;
  await control.execute('block-dirty-bitmap-remove', { node, name });
}

/** Two nodes on one file, for readers: the file's path is the name of both. */
async function addTwins({ process: { control } }: StorageDaemon, folder: string): Promise<string> {
  const filename = join(folder, 'twins.raw');
  await qemuImg('create', '-q', '-f', 'raw', filename, '1M');
  for (const name of ['twin1', 'twin2'])
    await control.execute('blockdev-add', {
      driver: 'raw',
      'node-name': name,
      'read-only': true,
      file: { driver: 'file', filename, 'read-only': true },
    });
  return filename;
}

/** By its QMP socket. */
export const runningVm: MakeVm = () =>
  onDaemon(async (daemon, { image }) => {
    const again = (): Promise<Vm> =>
      openVm({
        address: daemon.process.qmpPath,
        nbdSocket: daemon.nbdPath,
        images: Object.fromEntries(DISKS.map((disk) => [disk, image(disk)])),
      });
    return { vm: await again(), again };
  });

/** By another port, which belongs to another program. */
export const vmOfAnother: MakeVm = () =>
  onDaemon(async (daemon, { folder }) => {
    const place = join(folder.path, 'place');
    await mkdir(place);
    const way = await PipeOwner.start(daemon.process.qmpPath, join(folder.path, 'pipe'));
    const again = async (): Promise<Vm> => {
      const client = await PipePort.connect(way.path, new OwnedHost('web', place));
      const connection = connectionOver(client);
      const handle = new VmHandle(connection, await loadKernel(), { nbdSocket: daemon.nbdPath });
      return new BoundedVm(handle);
    };
    return { vm: await again(), again, way };
  });

/** A version of qcow2 that there is not. */
export const overwriteVersion = (image: string): Promise<void> =>
  overwrite(image, 4, Buffer.from([0, 0, 0, 99]));

async function overwrite(path: string, offset: number, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
}

/** Its images, while nobody listens at the socket that it has when it runs. */
async function thatIsOff(more: readonly string[]): Promise<VmSubject> {
  const { folder, image } = await images();
  for (const disk of more) await qemuImg('create', '-q', '-f', 'qcow2', image(disk), String(DISK_BYTES));
  const again = (): Promise<Vm> =>
    openVm({
      address: join(folder.path, 'gone.qmp'),
      images: Object.fromEntries([...DISKS, ...more].map((disk) => [disk, image(disk)])),
    });
  const vm = await again();
  return {
    vm,
    again,
    image,
    guestIo: async (disk, command) => void (await qemuIo(['-f', 'qcow2', image(disk)], command)),
    spoil: (disk) => overwriteVersion(image(disk)),
    twoOfAName: () => linkTwins(image, join(folder.path, 'link.qcow2')),
    async [Symbol.asyncDispose]() {
      await vm.close();
      await folder.remove();
    },
  };
}

/** The images of `twin1` and `twin2` become one file, which has another path too: that one is the name of both. */
export async function linkTwins(image: (disk: string) => string, path: string): Promise<string> {
  await rm(image('twin2'));
  await link(image('twin1'), image('twin2'));
  await symlink(image('twin1'), path);
  return path;
}

export const TWINS = ['twin1', 'twin2'];
export const vmThatIsOff: MakeVm = () => thatIsOff([]);
export const twinsThatAreOff: MakeVm = () => thatIsOff(TWINS);
