import { takeSnapshot } from '../takeSnapshot.js';
import type { VmContext } from '../vmContext.js';

/**
 * Takes a snapshot: one instant on all disks, readable until it is removed. `memory` true is NotSupported. `quiesce` freezes the guest's
 * file systems through its agent; without an agent it is ignored, as without guest tools, and the snapshot says that it is not quiesced.
 */
export function CreateSnapshot_Task(
  vm: VmContext,
  signal: AbortSignal,
  name: string,
  description: string | undefined,
  memory: boolean,
  quiesce: boolean,
): Promise<string> {
  return takeSnapshot(vm, signal, { name, description, memory, quiesce });
}
