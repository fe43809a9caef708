import { VimFault } from '../faults.js';
import { Task } from '../task.js';
import type { VirtualMachine } from '../virtualMachine.js';

/** Not supported: a snapshot here is what a backup reads, and going back would need the guest's disks replaced under a running QEMU. */
export function RevertToCurrentSnapshot_Task(vm: VirtualMachine): Task<void> {
  return new Task('RevertToCurrentSnapshot_Task', vm.moref, async () => {
    throw new VimFault(
      'NotSupported',
      'a VM cannot be reverted to a snapshot: restore its disks from a backup',
    );
  });
}
