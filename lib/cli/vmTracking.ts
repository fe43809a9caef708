/** Tracking on a running VM as the commands use it: each call connects, acts and leaves; sessions stay in QEMU. */
import { CbtError, invalidArgument } from '../core/errors.js';
import type { EndSessionOptions } from '../core/session.js';
import type { BeginOutcome, TrackingOutcome } from '../core/tracking.js';
import type { BeginVmOptions, DisksOptions, StartVmOptions, Vm } from '../core/vm.js';
import { connectVm } from '../host/vm.js';

/** What a command that changes points in time needs; images at rest and VMs both have it. */
export interface CommandTracking {
  enable(options: StartVmOptions): Promise<TrackingOutcome>;
  reset(options: StartVmOptions): Promise<TrackingOutcome>;
  disable(options: DisksOptions): Promise<TrackingOutcome>;
  forget(point: string, options: DisksOptions): Promise<TrackingOutcome>;
  begin(options: BeginVmOptions): Promise<{
    session: string;
    pit: string;
    disks: readonly BeginOutcome[];
    warnings?: readonly string[];
  }>;
  commit(session: string, options: EndSessionOptions): Promise<TrackingOutcome>;
  rollback(session: string, options: EndSessionOptions): Promise<TrackingOutcome>;
}

export function vmTracking(socket: string, disks: readonly string[] | undefined): CommandTracking {
  const withVm = async <T>(signal: AbortSignal | undefined, work: (vm: Vm) => Promise<T>): Promise<T> => {
    await using vm = await connectVm(socket, { signal });
    return await work(vm);
  };
  const refuseDisks = (): void => {
    if (disks !== undefined)
      throw invalidArgument('--disk', disks.join(', '), 'left out: a session ends on all its disks');
  };
  return {
    enable: (options) => withVm(options.signal, (vm) => vm.enable({ ...options, disks })),
    reset: (options) => withVm(options.signal, (vm) => vm.reset({ ...options, disks })),
    disable: (options) => withVm(options.signal, (vm) => vm.disable({ ...options, disks })),
    forget: (point, options) => withVm(options.signal, (vm) => vm.forget(point, { ...options, disks })),
    begin: (options) =>
      withVm(options.signal, async (vm) => {
        const begun = await vm.begin({ ...options, disks, detached: true });
        const { session, pit, warnings } = begun;
        return { session, pit, warnings, disks: begun.disks };
      }),
    commit: (session, options) => {
      refuseDisks();
      const { signal } = options;
      return withVm(signal, async (vm) => (await vm.resume(session, { signal })).commit(options));
    },
    rollback: (session, options) => {
      refuseDisks();
      const { signal } = options;
      return withVm(signal, async (vm) => (await vm.resume(session, { signal })).rollback(options));
    },
  };
}

/** The options of `begin` that only a running VM has; refused for images. */
export function requireVm(option: string, given: unknown): void {
  if (given === undefined || given === false) return;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${option} is for a running VM: give --vm <socket>`);
}
