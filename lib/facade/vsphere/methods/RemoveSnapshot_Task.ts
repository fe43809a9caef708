import { endSnapshots } from '../endSnapshots.js';
import type { ManagedObjectReference } from '../reference.js';
import { findSnapshot } from '../snapshotRecords.js';
import type { VmContext } from '../vmContext.js';

/**
 * Removes a snapshot: its content is no longer readable, its changeId still answers. `removeChildren` takes the later ones with it.
 * There is nothing to consolidate: the guest's disks never got another layer.
 */
export async function RemoveSnapshot_Task(
  vm: VmContext,
  signal: AbortSignal,
  snapshot: ManagedObjectReference,
  removeChildren: boolean,
): Promise<void> {
  const first = findSnapshot(await vm.records.read(), snapshot).id;
  await endSnapshots(vm, signal, ({ id }) => id === first || (removeChildren && id > first));
}
