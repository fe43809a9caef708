import type { Vm } from '../../../core/vm.js';
import { invalidArgument, toFault, VimFault } from '../faults.js';
import { trackOff } from '../offDisks.js';
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
    throw new VimFault('InvalidState', `tracking is not switched while there are snapshots: ${names}`);
  }
  await vm.onOrOff(
    (connected) => switchLive(vm, connected, wanted, signal),
    (images) => trackOff(images, wanted, signal),
    signal,
  );
  await vm.records.update((record) => {
    record.trackingEnabled = wanted;
  });
}

async function switchLive(vm: VmContext, connected: Vm, wanted: boolean, signal: AbortSignal): Promise<void> {
  const disks = (await vm.disksOf(connected)).map(({ disk }) => disk);
  const untracked: string[] = [];
  for (const disk of disks) {
    await using opened = await connected.openDisk(disk);
    if ((await opened.pits()).epoch === null) untracked.push(disk);
  }
  const { disks: outcomes } = wanted
    ? untracked.length === 0
      ? { disks: [] }
      : await connected.enable({ disks: untracked, signal })
    : await connected.disable({ disks, signal });
  const failed = outcomes.find(({ error }) => error !== undefined && error.code !== 'ERR_CBT_ABORTED')?.error;
  if (failed !== undefined) throw toFault(failed);
}

function wantedTracking(spec: VirtualMachineConfigSpec): boolean | undefined {
  if (typeof spec !== 'object' || spec === null)
    throw invalidArgument('spec', 'spec is no VirtualMachineConfigSpec');
  const { changeTrackingEnabled } = spec;
  if (changeTrackingEnabled !== undefined && typeof changeTrackingEnabled !== 'boolean')
    throw invalidArgument('spec.changeTrackingEnabled', 'changeTrackingEnabled is neither true nor false');
  const known = new Set(['changeTrackingEnabled', 'extraConfig']);
  const other = Object.keys(spec).find((key) => !known.has(key));
  if (other !== undefined) throw new VimFault('NotSupported', `${other} cannot be reconfigured here`);
  let wanted = changeTrackingEnabled;
  for (const { key, value } of spec.extraConfig ?? []) {
    if (key !== 'ctkEnabled') throw new VimFault('NotSupported', `extraConfig ${key} cannot be changed here`);
    if (!/^(true|false)$/i.test(value))
      throw invalidArgument('spec.extraConfig', `ctkEnabled is ${JSON.stringify(value)}`);
    wanted ??= /^true$/i.test(value);
  }
  return wanted;
}
