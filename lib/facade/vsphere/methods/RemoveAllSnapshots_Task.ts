import { endSnapshots } from '../endSnapshots.js';
import { Task } from '../task.js';
import type { VirtualMachine } from '../virtualMachine.js';

/** Removes every snapshot of the VM; their changeIds still answer. */
export function RemoveAllSnapshots_Task(vm: VirtualMachine, _consolidate = true): Task<void> {
  return new Task('RemoveAllSnapshots_Task', vm.moref, () =>
    vm.inTurn('RemoveAllSnapshots_Task', () => endSnapshots(vm, () => true)),
  );
}
