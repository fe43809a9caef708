/** The properties of a VM, read from QEMU or its images and from what is remembered, as plain data. */
import type { CallOptions } from '../../core/callOptions.js';
import { untilAborted } from '../../core/untilAborted.js';
import { keyOf, type VmRecord } from '../../host/vmRecord.js';
import { readDisks } from './diskFacts.js';
import { InvalidState } from './faultClasses.js';
import { toFault } from './faults.js';
import { layoutOf } from './layout.js';
import { ctkOptionOf, devicesOf, uuidOf, vmPathNameOf } from './shapes.js';
import type { SnapshotOwner } from './snapshot.js';
import { treeOf, type VirtualMachineSnapshotInfo } from './snapshotTree.js';
import type {
  VirtualMachineConfigInfo,
  VirtualMachineFileLayoutEx,
  VirtualMachineRuntimeInfo,
} from './types.js';
import type { VmContext } from './vmContext.js';

export interface VmProperties<Vm extends SnapshotOwner> {
  config: VirtualMachineConfigInfo;
  layoutEx: VirtualMachineFileLayoutEx;
  runtime: VirtualMachineRuntimeInfo;
  snapshot: VirtualMachineSnapshotInfo<Vm> | undefined;
}

/** A VM that cannot be asked is `InvalidState`. */
export async function readProperties<Vm extends SnapshotOwner>(
  owner: Vm,
  vm: VmContext,
  own: CallOptions,
): Promise<VmProperties<Vm>> {
  try {
    return await readAll(owner, vm, own);
  } catch (thrown) {
    throw toFault(thrown);
  }
}

/** Whether it runs, and no more: nothing of its disks is looked at. A VM that cannot be asked is `InvalidState`. */
export async function readRuntime(vm: VmContext): Promise<VirtualMachineRuntimeInfo> {
  try {
    const { facts, running } = await vm.withVm(async (connected) => ({
      facts: await connected.facts(),
      running: connected.running,
    }));
    requireSameVm(vm.name, await vm.records.read(), facts.uuid);
    return runtimeOf(running, facts.status);
  } catch (thrown) {
    throw toFault(thrown);
  }
}

async function readAll<Vm extends SnapshotOwner>(
  owner: Vm,
  vm: VmContext,
  own: CallOptions,
): Promise<VmProperties<Vm>> {
  const { facts, running, found } = await vm.withVm(
    async (connected) => ({
      facts: await connected.facts(own),
      running: connected.running,
      found: await readDisks(vm, connected, own),
    }),
    own.signal,
  );
  const record = await vm.records.update((known) => {
    requireSameVm(vm.name, known, facts.uuid);
    if (facts.uuid !== null) known.uuid = facts.uuid;
    const { cpus, memoryBytes } = facts;
    if (cpus !== null && memoryBytes !== null) known.machine = { cpus, memoryBytes };
    for (const { disk } of found) keyOf(known, disk);
  });
  const tracked = record.trackingEnabled ?? found.some(({ epoch }) => epoch !== null);
  const uuid = vm.entry.uuid ?? facts.uuid ?? record.uuid ?? uuidOf(vm.host.address);
  const layout = layoutOf(found.map((disk) => ({ ...disk, key: keyOf(record, disk.disk) })));
  return {
    config: {
      name: vm.name,
      uuid,
      instanceUuid: uuid,
      template: false,
      version: 'vmx-13',
      files: { vmPathName: vmPathNameOf(vm.name) },
      changeTrackingEnabled: tracked,
      extraConfig: [
        { key: 'ctkEnabled', value: String(tracked) },
        ...found.map(({ disk, epoch }) => ({
          key: ctkOptionOf(keyOf(record, disk)),
          value: String(tracked && epoch !== null),
        })),
      ],
      hardware: {
        ...sizeOf(record),
        device: devicesOf(
          found.map(({ disk, fileName, capacityInBytes, parents, newest }) => ({
            disk,
            fileName,
            capacityInBytes,
            parents: [...parents],
            key: keyOf(record, disk),
            changeId: tracked ? newest?.changeId : undefined,
          })),
        ),
      },
    },
    runtime: runtimeOf(running, facts.status),
    layoutEx: await untilAborted(layout, own.signal, 'reading the sizes of files'),
    snapshot: treeOf(owner, record.snapshots),
  };
}

const MIB = 1 << 20;

/** As the VM had it when it ran last; the least that there can be where nobody knows. Memory is told in steps of 4 MiB. */
function sizeOf({ machine }: VmRecord): { numCPU: number; numCoresPerSocket: number; memoryMB: number } {
  const { cpus = 1, memoryBytes = 0 } = machine ?? {};
  return {
    numCPU: cpus,
    numCoresPerSocket: 1,
    memoryMB: Math.max(4, 4 * Math.ceil(memoryBytes / (4 * MIB))),
  };
}

function runtimeOf(running: boolean, status: string | null): VirtualMachineRuntimeInfo {
  return {
    connectionState: 'connected',
    powerState: powerState(running, status),
    consolidationNeeded: false,
  };
}

function powerState(running: boolean, status: string | null): VirtualMachineRuntimeInfo['powerState'] {
  if (!running) return 'poweredOff';
  return status === 'suspended' ? 'suspended' : 'poweredOn';
}

/** Snapshots are of the VM with its UUID; another one that has its name by now must not be taken for it. */
function requireSameVm(name: string, { uuid, snapshots, pending }: VmRecord, now: string | null): void {
  if (now === null || uuid === undefined || uuid === now || snapshots.length + pending.length === 0) return;
  const kept = snapshots.map((snapshot) => JSON.stringify(snapshot.name)).join(', ') || 'one that was begun';
  throw new InvalidState(
    `${name} is the VM ${now} now, and there are snapshots (${kept}) of the VM ${uuid} under this name: remove them there, or give one of the two another name`,
  );
}
