import { endSnapshots } from '../endSnapshots.js';
import type { VmContext } from '../vmContext.js';

/** Removes every snapshot of the VM; their changeIds still answer. */
export async function RemoveAllSnapshots_Task(vm: VmContext, signal: AbortSignal): Promise<void> {
  await endSnapshots(vm, signal, () => true);
}
