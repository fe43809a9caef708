/** The makers of a VM, for what has to hold of it whether it runs or is off: two qcow2 disks, a guest that can write. */
import { join } from 'node:path';
import type { Vm } from '../../lib/core/vm.js';
import { openVm } from '../../lib/host/openVm.js';
import { qemuImg, qemuIo } from './qemuTools.js';
import { StorageDaemon } from './storageDaemon.js';
import { makeTemporaryFolder } from './temporaryFolder.js';

export const DISKS = ['a', 'b'] as const;
export const DISK_BYTES = 4 << 20;

export interface VmOfTest extends AsyncDisposable {
  vm: Vm;
  /** Writes as the guest would, by a command of qemu-io; while the VM is off, as if it had run in between. */
  guestIo(disk: string, command: string): Promise<void>;
  image(disk: string): string;
}

export type MakeVm = () => Promise<VmOfTest>;

async function images() {
  const folder = await makeTemporaryFolder();
  const image = (disk: string): string => join(folder.path, `${disk}.qcow2`);
  for (const disk of DISKS) await qemuImg('create', '-q', '-f', 'qcow2', image(disk), String(DISK_BYTES));
  return { folder, image };
}

export const makeRunningVm: MakeVm = async () => {
  const { folder, image } = await images();
  const daemon = await StorageDaemon.start({ disks: DISKS.map((node) => ({ node, file: image(node) })) });
  await daemon.exportWritable(...DISKS);
  const vm = await openVm({
    qmp: daemon.process.qmpPath,
    nbdSocket: daemon.nbdPath,
    images: Object.fromEntries(DISKS.map((disk) => [disk, image(disk)])),
  });
  return {
    vm,
    image,
    guestIo: async (disk, command) => void (await daemon.guestIo(disk, command)),
    async [Symbol.asyncDispose]() {
      await vm.close();
      await daemon[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
};

export const makeOffVm: MakeVm = async () => {
  const { folder, image } = await images();
  const vm = await openVm({
    qmp: join(folder.path, 'gone.qmp'),
    images: Object.fromEntries(DISKS.map((disk) => [disk, image(disk)])),
  });
  return {
    vm,
    image,
    guestIo: async (disk, command) => void (await qemuIo(['-f', 'qcow2', image(disk)], command)),
    async [Symbol.asyncDispose]() {
      await vm.close();
      await folder.remove();
    },
  };
};

/** Every maker; `running`: whether what it makes runs. */
export const VM_MAKERS: readonly { name: string; running: boolean; make: MakeVm }[] = [
  { name: 'that runs', running: true, make: makeRunningVm },
  { name: 'that is off', running: false, make: makeOffVm },
];
