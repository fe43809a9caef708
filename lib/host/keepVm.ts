/** One VM at hand: connected when it is first wanted, and anew when it was lost, with every change of that told. */
import type { CallOptions } from '../core/callOptions.js';
import { closing } from '../core/closing.js';
import { warnOfCallback } from '../core/failedCallback.js';
import { type Checks, callback, checkCall, checkOptions, text } from '../core/options.js';
import type { Vm } from '../core/vm.js';
import { KeptVm, type VmState, type VmStateEvent } from './keptVm.js';
import { keepChecks, type OpenVmOptions, requireWay } from './openVm.js';

/** The VM that is kept, and who is told of it. */
export interface KeepVmOptions extends Omit<OpenVmOptions, 'signal'> {
  /** How events call it; its address, or its first image, unless given. */
  as?: string | undefined;
  /** Told of every change of its state. One that throws ends nothing, and is warned of. */
  onState?: ((event: VmStateEvent) => void) | undefined;
}

const KEEP: Checks<KeepVmOptions> = { ...keepChecks, as: text, onState: callback };

/** A VM at hand. */
export interface VmKeeper extends AsyncDisposable {
  /** What is known of it now. */
  readonly state: VmState;
  /**
   * Works on the VM: connected, or off. `signal` and `timeoutMs` are those of waiting for it; what the work calls takes its own. Work that was going on when it was lost fails with
   * `ERR_CBT_CONNECTION_LOST`, and is not done again by itself.
   * @param work Is handed what it works on; what it returns is returned.
   * @param options Signal and deadline.
   * @throws `CbtError` where it cannot be reached again; what `work` throws.
   */
  use<T>(work: (vm: Vm) => Promise<T>, options?: CallOptions): Promise<T>;
  /**
   * Ends the connection for good; open sessions are rolled back (`Vm.close`). Cancelled or late, only the waiting ends, and the closing goes on.
   * @param options Signal and deadline.
   * @throws `CbtError` where closing failed.
   */
  close(options?: CallOptions): Promise<void>;
}

/**
 * Keeps a VM at hand, as `createPool` does many, and with no limit on what is done on it at a time. Nothing is connected before it is wanted. Lost, it is connected anew by
 * itself, after half a second and then ever longer up to half a minute; another VM in its place is refused.
 * @param options The VM, and how it is reached again.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be.
 * @example
 * ```ts
 * await using keeper = keepVm({ name: 'web', address: '/run/vms/web.qmp' });
 * const disks = await keeper.use((vm) => vm.disks());
 * ```
 */
export function keepVm(options: KeepVmOptions): VmKeeper {
  checkOptions('keepVm', options, KEEP);
  requireWay(options);
  const { as, onState, ...open } = options;
  const { address, images } = open;
  const name = as ?? address ?? Object.values(images ?? {})[0] ?? '';
  const kept = new KeptVm(name, open, (event) => {
    try {
      onState?.(event);
    } catch (error) {
      warnOfCallback('onState failed', error);
    }
  });
  const close = (waiting?: CallOptions): Promise<void> => closing('close', waiting, () => kept.close());
  return {
    get state() {
      return kept.state;
    },
    async use(work, waiting) {
      callback(work, 'work');
      checkCall('use', waiting);
      return kept.use(work, waiting);
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
