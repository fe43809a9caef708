/** The snapshots of a VM as its property `snapshot` shows them. */
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { type SnapshotOwner, VirtualMachineSnapshot } from './snapshot.js';

/** A snapshot with those taken after it. */
export interface VirtualMachineSnapshotTree<Vm extends SnapshotOwner = SnapshotOwner> {
  /** The snapshot. */
  snapshot: VirtualMachineSnapshot<Vm>;
  /** The VM that it is of. */
  vm: Vm;
  /** As it was given. */
  name: string;
  /** As it was given. */
  description: string;
  /** Its number in the VM, from 1. */
  id: number;
  /** ISO 8601. */
  createTime: string;
  /** Without memory a snapshot holds a VM that is off. */
  state: 'poweredOff';
  /** Whether the guest’s file systems were frozen. */
  quiesced: boolean;
  /** Guests here leave no manifest of what was quiesced. */
  backupManifest: undefined;
  /** Those taken after it. */
  childSnapshotList: VirtualMachineSnapshotTree<Vm>[];
  /** Nothing is recorded for replay. */
  replaySupported: false;
}

/** The snapshots of a VM, oldest first down the tree. */
export interface VirtualMachineSnapshotInfo<Vm extends SnapshotOwner = SnapshotOwner> {
  /** The newest one. */
  currentSnapshot: VirtualMachineSnapshot<Vm>;
  /** The oldest ones, with those after them. */
  rootSnapshotList: VirtualMachineSnapshotTree<Vm>[];
}

/** Each snapshot is the child of the one before it; undefined where there is none. */
export function treeOf<Vm extends SnapshotOwner>(
  vm: Vm,
  records: readonly SnapshotRecord[],
): VirtualMachineSnapshotInfo<Vm> | undefined {
  const snapshots = records.map(
    (record, at) => new VirtualMachineSnapshot(vm, record, records.slice(at + 1)),
  );
  const currentSnapshot = snapshots.at(-1);
  if (currentSnapshot === undefined) return undefined;
  let below: VirtualMachineSnapshotTree<Vm>[] = [];
  for (const snapshot of snapshots.reverse()) {
    const { id, name, description, createTime, quiesced } = snapshot.record;
    below = [
      {
        snapshot,
        vm,
        name,
        description,
        id,
        createTime,
        state: 'poweredOff',
        quiesced,
        backupManifest: undefined,
        childSnapshotList: below,
        replaySupported: false,
      },
    ];
  }
  return { currentSnapshot, rootSnapshotList: below };
}
