import { invalidArgument } from '../faults.js';
import { takeSnapshot } from '../takeSnapshot.js';
import type { VirtualMachineGuestQuiesceSpec } from '../types.js';
import type { VmContext } from '../vmContext.js';

const MINUTE_MS = 60_000;
const DEFAULT_MINUTES = 15;

/** As CreateSnapshot_Task; with a `quiesceSpec` the guest is frozen, and may take so many minutes (5 to 240) for it. */
export async function CreateSnapshotEx_Task(
  vm: VmContext,
  signal: AbortSignal,
  name: string,
  description: string | undefined,
  memory: boolean,
  quiesceSpec?: VirtualMachineGuestQuiesceSpec,
): Promise<string> {
  const minutes = quiesceSpec?.timeout ?? DEFAULT_MINUTES;
  if (!Number.isInteger(minutes) || minutes < 5 || minutes > 240)
    throw invalidArgument('quiesceSpec.timeout', `timeout is ${minutes} minutes, expected 5 to 240`);
  return takeSnapshot(vm, signal, {
    name,
    description,
    memory,
    quiesce: quiesceSpec !== undefined,
    quiesceTimeoutMs: minutes * MINUTE_MS,
  });
}
