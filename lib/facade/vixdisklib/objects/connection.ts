/** A connection: to the files of this machine, or to a VM and one of its snapshots. */
import type { Session } from '../../../core/session.js';
import type { Vm } from '../../../core/vm.js';
import { connectVm } from '../../../vm.js';
import type { VirtualMachineSnapshot } from '../../vsphere/index.js';
import {
  VIX_E_DISK_INVALID_CONNECTION,
  VIX_E_INVALID_HANDLE,
  VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
  VIX_E_SNAPSHOT_NOTFOUND,
  VIX_E_VM_NOT_FOUND,
} from '../constants/codes.js';
import { invalid, VixFailure } from '../errors.js';
import { service } from '../library.js';
import type { VixDiskLibConnectParams } from '../types.js';
import type { VixDiskLibHandle } from './handle.js';

export class VixDiskLibConnection {
  readonly params: VixDiskLibConnectParams | null;
  readonly readOnly: boolean;
  /** The snapshot's content; null for files of this machine. */
  readonly remote: { vm: Vm; session: Session; snapshot: VirtualMachineSnapshot } | null;
  readonly handles = new Set<VixDiskLibHandle>();
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

  static async open(
    params: VixDiskLibConnectParams | null,
    readOnly: boolean,
    snapshotRef: string | null,
  ): Promise<VixDiskLibConnection> {
    const spec = params?.vmxSpec ?? '';
    if (typeof spec !== 'string') throw invalid('vmxSpec', 'a text');
    if (spec === '') return new VixDiskLibConnection(params, readOnly, null);
    if (snapshotRef === null || snapshotRef === '') {
      throw new VixFailure(
        VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
        'the disks of a running VM are read from a snapshot: give snapshotRef',
      );
    }
    const found = await service()?.findVm(spec.replace(/^moref=/, ''));
    if (found === undefined || found === null)
      throw new VixFailure(
        VIX_E_VM_NOT_FOUND,
        `there is no VM ${spec}; configureVixDiskLib names the service`,
      );
    const snapshot = await found.findSnapshot(snapshotRef).catch((cause: unknown) => {
      throw new VixFailure(VIX_E_SNAPSHOT_NOTFOUND, `VM ${spec} has no snapshot ${snapshotRef}`, { cause });
    });
    const { qmp, nbdSocket } = found.entry;
    const vm = await connectVm(qmp, { nbdSocket });
    try {
      return new VixDiskLibConnection(params, true, {
        vm,
        session: await vm.resume(snapshot.session),
        snapshot,
      });
    } catch (cause) {
      await vm.close();
      throw new VixFailure(VIX_E_SNAPSHOT_NOTFOUND, `the content of ${snapshotRef} is gone`, { cause });
    }
  }

  /** The connection of a call's argument, open. */
  static of(argument: unknown): VixDiskLibConnection {
    if (typeof argument === 'object' && argument !== null && #closed in argument && !argument.#closed)
      return argument;
    throw new VixFailure(VIX_E_DISK_INVALID_CONNECTION, 'connection is not one that is open');
  }

  get closed(): boolean {
    return this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) throw new VixFailure(VIX_E_INVALID_HANDLE, 'the connection is closed already');
    this.#closed = true;
    for (const handle of this.handles) await handle.close();
    await this.remote?.vm.close();
  }
}
