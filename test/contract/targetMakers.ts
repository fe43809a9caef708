/** The place for points in time, as each maker has it: three disks, of which `a` stands on another image. */
import { join } from 'node:path';
import { QmpTrackingTarget } from '../../lib/backend/qemu/graph/trackingTarget.js';
import type { ImageToOpen } from '../../lib/backend/qemu/openForWriting.js';
import type { QmpPort } from '../../lib/backend/qemu/qmp/qmpPort.js';
import { withStorageDaemon } from '../../lib/backend/qemu/storageDaemon.js';
import { imageNode } from '../../lib/host/imageName.js';
import { loadKernel } from '../../lib/kernel/load.js';
import { Machine, MachineTarget } from '../../lib/testing/machine.js';
import { MemoryDisk } from '../../lib/testing/memoryDisk.js';
import { nbdIo } from '../helpers/qemuProcess.js';
import { qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { ASKED, BELOW, BELOW_GRAIN, KIB64, OTHER, SIZE, type TargetSubject } from './trackingTarget.js';

const kernel = await loadKernel();
const NAMES = [...ASKED, OTHER];

async function images() {
  const folder = await makeTemporaryFolder();
  const image = (disk: string): string => join(folder.path, `${disk}.qcow2`);
  for (const disk of ['base', 'b', OTHER])
    await qemuImg('create', '-q', '-f', 'qcow2', image(disk), String(SIZE));
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', image('base'), '-F', 'qcow2', image('a'));
  await qemuImg('bitmap', '--add', '-f', 'qcow2', image('base'), BELOW);
  await qemuIo(['-f', 'qcow2', image('base')], written(BELOW_GRAIN));
  return { folder, image };
}

const written = (grain: number): string => `write -P 7 ${grain * KIB64} ${KIB64}`;

/** By the names of its disks, through its monitor. */
export async function runningDisks(): Promise<TargetSubject> {
  const { folder, image } = await images();
  const daemon = await StorageDaemon.start({
    args: ['--blockdev', 'driver=null-co,node-name=fixed,size=65536,read-only=on'],
    disks: NAMES.map((node) => ({ node, file: image(node) })),
  });
  await daemon.exportWritable(...NAMES);
  return {
    target: (names = ASKED) => new QmpTrackingTarget({ client: daemon.process.control, names }),
    called: (name) => name,
    write: async (disk, grain) => void (await daemon.guestIo(disk, written(grain))),
    untrackable: 'fixed',
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

/** By the nodes that they have in a QEMU of ours, called by their paths. */
export async function imagesAtRest(): Promise<TargetSubject> {
  const { folder, image } = await images();
  const opened: ImageToOpen[] = [];
  for (const disk of NAMES)
    opened.push({ path: image(disk), nodeName: disk, node: await imageNode(image(disk), { trust: true }) });
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let whole: Promise<void> = Promise.resolve();
  const { client, nbd } = await new Promise<{ client: QmpPort; nbd: string }>((resolve, reject) => {
    whole = withStorageDaemon({ images: opened }, async (client, place) => {
      const nbd = join(place.folder, 'nbd');
      await client.execute('nbd-server-start', { addr: { type: 'unix', data: { path: nbd } } });
      for (const name of NAMES) {
        const exported = { type: 'nbd', id: name, 'node-name': name, name, writable: true };
        await client.execute('block-export-add', exported);
      }
      resolve({ client, nbd });
      await ended;
    });
    whole.catch(reject);
  });
  return {
    target: (names = ASKED) =>
      new QmpTrackingTarget({ client, names, label: (_, name) => image(String(name)) }),
    called: image,
    write: async (disk, grain) => void (await nbdIo(nbd, disk, [written(grain)])),
    async [Symbol.asyncDispose]() {
      end();
      await whole;
      await folder.remove();
    },
  };
}

export async function memoryDisks(): Promise<TargetSubject> {
  const options = { sizeBytes: SIZE, format: 'qcow2' } as const;
  const base = new MemoryDisk('base', options);
  base.addBitmap(BELOW);
  const write = (disk: MemoryDisk, grain: number): void => disk.write(grain * KIB64, Buffer.alloc(KIB64, 7));
  write(base, BELOW_GRAIN);
  const disks = NAMES.map(
    (name) => new MemoryDisk(name, { ...options, backing: name === 'a' ? base : undefined }),
  );
  const uuid = '77777777-7777-4777-8777-777777777777';
  const machine = new Machine({ name: 'web', uuid, disks, kernel, seed: 7 });
  return {
    target: (names = ASKED) => new MachineTarget(machine, machine.chosen(names)),
    called: (name) => name,
    write: async (disk, grain) => write(machine.find(disk), grain),
    async [Symbol.asyncDispose]() {},
  };
}
