/** The snapshots of a VM as its property `snapshot` shows them. */
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { VirtualMachineSnapshot } from './snapshot.js';
import type { VirtualMachineSnapshotInfo, VirtualMachineSnapshotTree } from './types.js';
import type { VirtualMachine } from './virtualMachine.js';

/** Each snapshot is the child of the one before it; undefined where there is none. */
export function treeOf(
  vm: VirtualMachine,
  records: readonly SnapshotRecord[],
): VirtualMachineSnapshotInfo | undefined {
  const snapshots = records.map(
    (record, at) => new VirtualMachineSnapshot(vm, record, records.slice(at + 1)),
  );
  const currentSnapshot = snapshots.at(-1);
  if (currentSnapshot === undefined) return undefined;
  let below: VirtualMachineSnapshotTree[] = [];
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
