import { endSnapshots } from '../endSnapshots.js';
import { Task } from '../task.js';
import type { ManagedObjectReference } from '../types.js';
import type { VirtualMachine } from '../virtualMachine.js';

/**
 * Removes a snapshot: its content is no longer readable, its changeId still answers. `removeChildren` takes the later ones with it.
 * There is nothing to consolidate: the guest's disks never got another layer.
 */
export function RemoveSnapshot_Task(
  vm: VirtualMachine,
  snapshot: ManagedObjectReference,
  removeChildren: boolean,
  _consolidate = true,
): Task<void> {
  return new Task('RemoveSnapshot_Task', vm.moref, () =>
    vm.inTurn('RemoveSnapshot_Task', async () => {
      const { record } = await vm.findSnapshot(snapshot);
      await endSnapshots(vm, ({ id }) => id === record.id || (removeChildren && id > record.id));
    }),
  );
}
