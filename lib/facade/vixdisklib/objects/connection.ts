/** A connection: to the files of this machine, or to a VM and one of its snapshots. */
import type { Session } from '../../../core/session.js';
import type { Vm } from '../../../core/vm.js';
import { closeAll } from '../../closeAll.js';
import { disksAmong } from '../../vsphere/devices.js';
import type { VirtualDisk, VirtualMachine, VirtualMachineSnapshot } from '../../vsphere/index.js';
import {
  VIX_E_DISK_INVALID_CONNECTION,
  VIX_E_INVALID_HANDLE,
  VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
  VIX_E_SNAPSHOT_NOTFOUND,
  VIX_E_VM_NOT_FOUND,
} from '../constants/codes.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
import type { VixDiskLibConnectParams } from '../types.js';
import type { VixDiskLibHandle } from './handle.js';
import { vmSpecOf } from './vmSpec.js';

const RUNS = 'the disks of a running VM are read from a snapshot: give snapshotRef';

/**
 * What `VixDiskLib_ConnectEx` gives, for the calls that take a connection; not to be used otherwise.
 * @example
 * ```ts
 * const opened = ref<VixDiskLibConnection>();
 * await VixDiskLib_Connect(params, opened);
 * const isReadOnly = opened.value?.readOnly;
 * ```
 */
export class VixDiskLibConnection {
  /** What it was connected by. */
  readonly params: VixDiskLibConnectParams | null;
  /** Whether its disks open for reading only. */
  readonly readOnly: boolean;
  /** @internal Null for files of this machine. Without a snapshot the VM is off, and its disks are what they are now. */
  readonly remote: {
    vm: Vm;
    /** As its owner configured it. */
    name: string;
    disks: readonly VirtualDisk[];
    content: { session: Session; snapshot: VirtualMachineSnapshot } | null;
  } | null;
  /** @internal */
  readonly handles = new Set<VixDiskLibHandle>();
  readonly #library = library();
  #unreachable: string | null = null;
  #closed = false;

  private constructor(
    params: VixDiskLibConnectParams | null,
    readOnly: boolean,
    remote: VixDiskLibConnection['remote'],
  ) {
    this.params = params;
    this.readOnly = readOnly;
    this.remote = remote;
  }

  /** @internal Connects; failures are `VIX_` codes. `unreachable`: why no disk can be opened through it. */
  static async open(
    params: VixDiskLibConnectParams | null | undefined,
    readOnly: boolean,
    snapshotRef: string | null | undefined,
    unreachable: string | null,
  ): Promise<VixDiskLibConnection> {
    const made = await VixDiskLibConnection.#make(params ?? null, readOnly, snapshotRef ?? null);
    made.#unreachable = unreachable;
    await made.#library.keep(made);
    return made;
  }

  static async #make(
    params: VixDiskLibConnectParams | null,
    readOnly: boolean,
    snapshotRef: string | null,
  ): Promise<VixDiskLibConnection> {
    const spec = vmSpecOf(params);
    if (spec === '') return new VixDiskLibConnection(params, readOnly, null);
    const named = snapshotRef !== null && snapshotRef !== '';
    if (library().settings.service === undefined && !named)
      throw new VixFailure(VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, RUNS);
    const found = await library().findVm(spec);
    if (found === null)
      throw new VixFailure(
        VIX_E_VM_NOT_FOUND,
        `there is no VM ${spec}; configureVixDiskLib names the service`,
      );
    const snapshot = named ? await snapshotOf(found, snapshotRef) : null;
    const vm = await found.context.open();
    try {
      if (snapshot === null && vm.running) throw new VixFailure(VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, RUNS);
      const content = snapshot && { snapshot, session: await vm.resume(snapshot.session) };
      const disks = disksAmong((snapshot ?? found).config.hardware.device);
      return new VixDiskLibConnection(params, readOnly || named, { vm, name: found.name, disks, content });
    } catch (cause) {
      await vm.close();
      if (cause instanceof VixFailure) throw cause;
      throw new VixFailure(VIX_E_SNAPSHOT_NOTFOUND, `the content of ${snapshotRef} is gone`, { cause });
    }
  }

  /** @internal The connection of a call's argument: open, and this client's. */
  static of(argument: unknown): VixDiskLibConnection {
    if (
      typeof argument === 'object' &&
      argument !== null &&
      #closed in argument &&
      !argument.#closed &&
      argument.#library === library()
    )
      return argument;
    throw new VixFailure(VIX_E_DISK_INVALID_CONNECTION, 'connection is not one that is open');
  }

  /** @internal Why no disk can be opened through it; null where disks can. */
  get unreachable(): string | null {
    return this.#unreachable;
  }

  /** Whether VixDiskLib_Disconnect has been called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** @internal Closes its handles, and the connection. */
  async close(): Promise<void> {
    if (this.#closed) throw new VixFailure(VIX_E_INVALID_HANDLE, 'the connection is closed already');
    this.#closed = true;
    this.#library.forget(this);
    try {
      await closeAll(...this.handles);
    } finally {
      await this.remote?.vm.close();
    }
  }
}

async function snapshotOf(vm: VirtualMachine, reference: string): Promise<VirtualMachineSnapshot> {
  return vm.findSnapshot(reference).catch((cause: unknown) => {
    throw new VixFailure(VIX_E_SNAPSHOT_NOTFOUND, `VM ${vm.name} has no snapshot ${reference}`, { cause });
  });
}
