/** What the conformance tests of this facade share: a VM of a real QEMU, and the ways of a client. */
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  connect,
  type DiskChangeExtent,
  MethodFault,
  type ServiceInstance,
  type ServiceOptions,
  VirtualDisk,
  type VirtualHardware,
  type VirtualMachine,
} from '../../../lib/facade/vsphere/index.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

export const MIB = 1 << 20;
export const KIB64 = 65_536;

/** The disks of a VM, or of a snapshot. */
export function disks(of: { config: { hardware: VirtualHardware } }): VirtualDisk[] {
  return of.config.hardware.device.filter((device) => device instanceof VirtualDisk);
}

export interface TestVm {
  service: ServiceInstance;
  vm: VirtualMachine;
  daemon: StorageDaemon;
  folder: string;
  /** Key of the first disk. */
  key: number;
  /** A service of another process over the same VM. */
  again(): Promise<VirtualMachine>;
}

/** A running QEMU with a disk `d` of so many bytes, not tracked yet; gone when the test has ended. */
export async function startVm(
  options: ServiceOptions & {
    keepPoints?: number;
    sizeBytes?: number;
    discard?: boolean;
    folder?: string;
  } = {},
): Promise<TestVm> {
  const { sizeBytes = 64 * MIB, discard = false, ...service } = options;
  const folder: TemporaryFolder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, String(sizeBytes));
  return { ...(await startOn(folder.path, service, discard)), folder: folder.path };
}

/** QEMU on the disk of a folder that was used before: a restart of the VM. */
export async function startOn(
  folder: string,
  { keepPoints, ...service }: ServiceOptions & { keepPoints?: number } = {},
  discard = false,
): Promise<TestVm> {
  const file = join(folder, 'd.qcow2');
  const disk = { node: 'd', file, ...(discard && { options: { discard: 'unmap' } }) };
  const daemon = await StorageDaemon.start({ disks: [disk] });
  onTestFinished(() => daemon[Symbol.asyncDispose]());
  await daemon.exportWritable('d');
  const vms = [
    {
      name: 'web',
      qmpSocket: daemon.process.file('qmp.sock'),
      scratchFolder: folder,
      nbdSocket: daemon.nbdPath,
      allowUnwatchedScratch: true,
      disks: ['d'],
      keepPoints,
    },
  ];
  const make = (): ServiceInstance => connect({ stateFolder: join(folder, 'state'), ...service, vms });
  const found = async (from: ServiceInstance): Promise<VirtualMachine> => (await from.findVm('web'))!;
  const one = make();
  const vm = await found(one);
  const key = disks(vm)[0]!.key;
  return { service: one, vm, daemon, folder, key, again: () => found(make()) };
}

export async function enable(vm: VirtualMachine): Promise<void> {
  await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
}

/** Takes a snapshot; it, its reference and the changeId of the first disk. */
export async function snapshot(vm: VirtualMachine, name = 'backup') {
  const taken = await vm.CreateSnapshot_Task(name, '', false, false).wait();
  return { reference: taken.toJSON(), taken, changeId: disks(taken)[0]!.backing.changeId! };
}

/** Takes a snapshot, removes it, and keeps its changeId: a point in time. */
export async function pointInTime(vm: VirtualMachine): Promise<string> {
  const { taken, changeId } = await snapshot(vm);
  await taken.RemoveSnapshot_Task(false).wait();
  return changeId;
}

export function pairs(areas: readonly DiskChangeExtent[]): [number, number][] {
  return areas.map(({ start, length }) => [start, length]);
}

/** The fault that this ends with. */
export async function faultOf(work: Promise<unknown>): Promise<MethodFault> {
  try {
    await work;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(MethodFault);
    return thrown as MethodFault;
  }
  throw new Error('no fault');
}
