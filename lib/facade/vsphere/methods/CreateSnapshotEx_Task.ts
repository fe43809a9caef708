import { invalidArgument } from '../faults.js';
import { takeSnapshot } from '../takeSnapshot.js';
import { Task } from '../task.js';
import type { ManagedObjectReference, VirtualMachineGuestQuiesceSpec } from '../types.js';
import type { VirtualMachine } from '../virtualMachine.js';

const MINUTE_MS = 60_000;
const DEFAULT_MINUTES = 15;

/** As CreateSnapshot_Task; with a `quiesceSpec` the guest is frozen, and may take so many minutes (5 to 240) for it. */
export function CreateSnapshotEx_Task(
  vm: VirtualMachine,
  name: string,
  description: string | undefined,
  memory: boolean,
  quiesceSpec?: VirtualMachineGuestQuiesceSpec,
): Task<ManagedObjectReference> {
  const minutes = quiesceSpec?.timeout ?? DEFAULT_MINUTES;
  if (!Number.isInteger(minutes) || minutes < 5 || minutes > 240) {
    return new Task('CreateSnapshotEx_Task', vm.moref, async () => {
      throw invalidArgument('quiesceSpec.timeout', `timeout is ${minutes} minutes, expected 5 to 240`);
    });
  }
  return takeSnapshot('CreateSnapshotEx_Task', vm, {
    name,
    description,
    memory,
    quiesce: quiesceSpec !== undefined,
    quiesceTimeoutMs: minutes * MINUTE_MS,
  });
}
