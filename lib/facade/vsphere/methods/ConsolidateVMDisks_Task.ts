import { Task } from '../task.js';
import type { VirtualMachine } from '../virtualMachine.js';

/** Succeeds at once: snapshots leave no layer behind that would have to be consolidated. */
export function ConsolidateVMDisks_Task(vm: VirtualMachine): Task<void> {
  return new Task('ConsolidateVMDisks_Task', vm.moref, async () => undefined);
}
