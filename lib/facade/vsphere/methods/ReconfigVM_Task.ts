import type { Vm } from '../../../core/vm.js';
import { invalidArgument, toFault, VimFault } from '../faults.js';
import { trackOff } from '../offDisks.js';
import { Task } from '../task.js';
import type { VirtualMachineConfigSpec } from '../types.js';
import type { VirtualMachine } from '../virtualMachine.js';

/**
 * Switches change tracking on or off, by `changeTrackingEnabled` or by extraConfig `ctkEnabled`. On takes effect at once, on all
 * disks at one instant, and is refused while there are snapshots; off forgets all history, so every changeId is a FileFault
 * afterwards. Anything else in the specification is NotSupported.
 */
export function ReconfigVM_Task(vm: VirtualMachine, spec: VirtualMachineConfigSpec): Task<void> {
  return new Task('ReconfigVM_Task', vm.moref, (signal) =>
    vm.inTurn('ReconfigVM_Task', async () => {
      const wanted = wantedTracking(spec);
      if (wanted === undefined) return;
      const { snapshots } = await vm.record();
      if (snapshots.length > 0) {
        const names = snapshots.map(({ name }) => name).join(', ');
        throw new VimFault('InvalidState', `tracking is not switched while there are snapshots: ${names}`);
      }
      const switchLive = async (connected: Vm): Promise<void> => {
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
        const failed = outcomes.find(
          ({ error }) => error !== undefined && error.code !== 'ERR_CBT_ABORTED',
        )?.error;
        if (failed !== undefined) throw toFault(failed);
      };
      await vm.onOrOff(switchLive, (images) => trackOff(images, wanted, signal), signal);
      await vm.updateRecord((record) => {
        record.trackingEnabled = wanted;
      });
      await vm.refresh();
    }),
  );
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
