import type { Vm } from '../../../core/vm.js';
import { readDisks } from '../diskFacts.js';
import { InvalidState, NotSupported } from '../faultClasses.js';
import { invalidArgument, toFault } from '../faults.js';
import type { VirtualMachineConfigSpec } from '../types.js';
import type { VmContext } from '../vmContext.js';

/**
 * Switches change tracking on or off, by `changeTrackingEnabled` or by extraConfig `ctkEnabled`. On takes effect at once, on all
 * disks at one instant, and is refused while there are snapshots; off forgets all history, so every changeId is a FileFault
 * afterwards. Anything else in the specification is NotSupported.
 */
export async function ReconfigVM_Task(
  vm: VmContext,
  signal: AbortSignal,
  spec: VirtualMachineConfigSpec,
): Promise<void> {
  const wanted = wantedTracking(spec);
  if (wanted === undefined) return;
  const { snapshots } = await vm.records.read();
  if (snapshots.length > 0) {
    const names = snapshots.map(({ name }) => name).join(', ');
    throw new InvalidState(`tracking is not switched while there are snapshots: ${names}`);
  }
  await vm.withVm((connected) => switchTracking(vm, connected, wanted, signal), signal);
  await vm.records.update((record) => {
    record.trackingEnabled = wanted;
  });
}

async function switchTracking(
  vm: VmContext,
  connected: Vm,
  wanted: boolean,
  signal: AbortSignal,
): Promise<void> {
  const found = await readDisks(vm, connected);
  const disks = found.filter(({ epoch }) => !wanted || epoch === null).map(({ disk }) => disk);
  if (disks.length === 0) return;
  try {
    await (wanted ? connected.enable({ disks, signal }) : connected.disable({ disks, signal }));
  } catch (thrown) {
    throw toFault(thrown);
  }
}

function wantedTracking(spec: VirtualMachineConfigSpec): boolean | undefined {
  if (typeof spec !== 'object' || spec === null)
    throw invalidArgument('spec', 'spec is no VirtualMachineConfigSpec');
  const { changeTrackingEnabled } = spec;
  if (changeTrackingEnabled !== undefined && typeof changeTrackingEnabled !== 'boolean')
    throw invalidArgument('spec.changeTrackingEnabled', 'changeTrackingEnabled is neither true nor false');
  const known = new Set(['changeTrackingEnabled', 'extraConfig']);
  const other = Object.keys(spec).find((key) => !known.has(key));
  if (other !== undefined) throw new NotSupported(`${other} cannot be reconfigured here`);
  let wanted = changeTrackingEnabled;
  for (const { key, value } of spec.extraConfig ?? []) {
    if (key !== 'ctkEnabled') throw new NotSupported(`extraConfig ${key} cannot be changed here`);
    if (!/^(true|false)$/i.test(value))
      throw invalidArgument('spec.extraConfig', `ctkEnabled is ${JSON.stringify(value)}`);
    wanted ??= /^true$/i.test(value);
  }
  return wanted;
}
