/** The snapshots of a VM as its property `snapshot` shows them. */
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { type SnapshotOwner, VirtualMachineSnapshot } from './snapshot.js';

/** A snapshot with those taken after it. */
export interface VirtualMachineSnapshotTree<Vm extends SnapshotOwner = SnapshotOwner> {
  snapshot: VirtualMachineSnapshot<Vm>;
  vm: Vm;
  name: string;
  description: string;
  id: number;
  /** ISO 8601. */
  createTime: string;
  /** Without memory a snapshot holds a VM that is off. */
  state: 'poweredOff';
  quiesced: boolean;
  /** Guests here leave no manifest of what was quiesced. */
  backupManifest: undefined;
  childSnapshotList: VirtualMachineSnapshotTree<Vm>[];
  replaySupported: false;
}

/** The snapshots of a VM, oldest first down the tree. */
export interface VirtualMachineSnapshotInfo<Vm extends SnapshotOwner = SnapshotOwner> {
  currentSnapshot: VirtualMachineSnapshot<Vm>;
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
