/** The wiring of a running QEMU: from its QMP socket, or its libvirt domain, to its disks, points in time and sessions. */
import {
  abortSignal,
  type Checks,
  checkOptions,
  listOf,
  milliseconds,
  oneOf,
  text,
  textOf,
} from '../core/options.js';
import { timeLeft } from '../core/timeLeft.js';
import type { CallOptions, Vm } from '../core/vm.js';
import { loadKernel } from '../kernel/load.js';
import { type Logger, logger, logging } from '../watch/logger.js';
import { BoundedVm } from './boundedVm.js';
import { HoldStore } from './holdStore.js';
import { VmUnderHolds } from './vmUnderHolds.js';
import { WatchedVm } from './watchedVm.js';
import { wayTo } from './ways.js';

/** How a VM is connected to. */
export interface ConnectVmOptions extends CallOptions {
  /** Which kernel does the bulk work: the native addon, its script twin, or what loads (the default). */
  kernel?: 'native' | 'script' | 'auto' | undefined;
  /** Unix socket of an NBD server that runs in this QEMU already; one is started while it is needed unless given. */
  nbdSocket?: string | undefined;
  /** Folder for the socket of that server; that of the system for temporary files unless given. QEMU must see it under the same path. */
  scratchFolder?: string | undefined;
  /**
   * Of a VM that is off: folders that sessions were given for their files while it ran, beside `scratchFolder`. An overlay that waits there keeps changes
   * away (`BUSY`), as one beside the images or in the folder for temporary files does.
   */
  scratchPlaces?: readonly string[] | undefined;
  /** Milliseconds for connecting; 10 000 unless given. */
  timeoutMs?: number | undefined;
  /** Told what the VM's calls do, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** The checks of its options, for whoever takes them too. */
export const connectChecks: Checks<ConnectVmOptions> = {
  kernel: oneOf('native', 'script', 'auto'),
  nbdSocket: text,
  scratchFolder: text,
  scratchPlaces: listOf(text),
  timeoutMs: milliseconds,
  logger,
  signal: abortSignal,
};

/**
 * Connects to a running QEMU (qemu-system or qemu-storage-daemon, 7.2 or newer) by its QMP socket, or (`libvirt:<uri>#<domain>`) as a
 * domain of libvirt. A monitor serves one
 * client at a time: calls in one process share the connection, another process is told `ERR_CBT_TIMEOUT` with `BUSY`. Changes of a VM that
 * a program holds as it is (`VirtualMachine.hold`, `VixDiskLib_PrepareForAccess`) are refused with `BUSY`.
 * @param address Path of QEMU’s QMP socket, or `libvirt:<uri>#<domain>`.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError`: ERR_CBT_BACKEND_UNAVAILABLE where nobody answers, with BUSY where somebody else has its monitor.
 * @example
 * ```ts
 * await using vm = await connectVm('/run/vms/web.qmp');
 * for (const { disk, trackable } of await vm.disks()) console.log(disk, trackable);
 * ```
 */
export async function connectVm(address: string, options: ConnectVmOptions = {}): Promise<Vm> {
  checkConnect(address, options);
  const left = timeLeft(options);
  return underHolds(await reachVm(address, options), address, left());
}

/** Checks what is asked for, before anything is connected. */
function checkConnect(address: unknown, options: unknown): void {
  textOf('the path of a QMP unix socket, or libvirt:<uri>#<domain>')(address, 'address');
  checkOptions('connectVm', options, connectChecks);
}

/** The VM at this address, with its holders respected. */
export async function underHolds(vm: Vm, address: string, options: CallOptions): Promise<Vm> {
  try {
    const way = await wayTo(address);
    return new VmUnderHolds(vm, new HoldStore(await way.identity(options)));
  } catch (error) {
    await vm.close();
    throw error;
  }
}

/** The same as {@link connectVm} for who sees to holders himself: nothing is refused. */
export async function reachVm(address: string, options: ConnectVmOptions = {}): Promise<Vm> {
  checkConnect(address, options);
  const { signal, nbdSocket, scratchFolder, timeoutMs, logger } = options;
  const kernel = await loadKernel({ kernel: options.kernel ?? 'auto' });
  const { acquireConnection } = await import('../backend/qemu/vmConnection.js');
  const { VmHandle } = await import('../backend/qemu/vmHandle.js');
  const way = await wayTo(address);
  const connection = await logging(logger, () => acquireConnection(way, { signal, timeoutMs }));
  const vm = new VmHandle(connection, kernel, { nbdSocket, scratch: scratchFolder });
  return new WatchedVm(new BoundedVm(vm), logger);
}
