/** A snapshot: a point in time on all disks and, while it exists, their content at that instant. */
import type { CallOptions } from '../../core/callOptions.js';
import { formatChangeId } from '../../core/changeId.js';
import type { Session } from '../../core/session.js';
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { requireDiskOf } from './content.js';
import { ManagedObject } from './managedObject.js';
import type { ManagedObjectReference } from './reference.js';
import { devicesOf } from './shapes.js';
import type { Task } from './task.js';
import type { SnapshotConfigInfo } from './types.js';

/** The VM of a snapshot, as far as the snapshot needs it. */
export interface SnapshotOwner {
  /** The value of its reference. */
  readonly value: string;
  /** @internal */
  removeSnapshot(snapshot: ManagedObjectReference, removeChildren: boolean): Task<void>;
  /** @internal */
  revertToSnapshot(): Task<void>;
  /** @internal */
  renameSnapshot(
    snapshot: ManagedObjectReference,
    name: string | undefined,
    description: string | undefined,
    options: CallOptions | undefined,
  ): Promise<void>;
}

/**
 * A snapshot of a VM.
 * @example
 * ```ts
 * const vm = await connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] }).findVm('web');
 * const snapshot = await vm?.CreateSnapshot_Task('nightly', '', false, false).wait();
 * await snapshot?.RemoveSnapshot_Task(false).wait();
 * ```
 */
export class VirtualMachineSnapshot<Vm extends SnapshotOwner = SnapshotOwner> extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'VirtualMachineSnapshot';
  /** Value of its reference. */
  readonly value: string;
  /** Of those taken after it, the next first. */
  readonly #later: readonly SnapshotRecord[];

  /** @internal VirtualMachine makes them. */
  constructor(
    /** The VM that it is of. */
    readonly vm: Vm,
    /** @internal What is remembered of it. */
    readonly record: SnapshotRecord,
    later: readonly SnapshotRecord[],
  ) {
    super();
    this.#later = later;
    this.value = snapshotValue(vm.value, record.id);
  }

  /** The VM's configuration at the instant; each tracked disk with the changeId that names it. */
  get config(): SnapshotConfigInfo {
    const { tracked, disks } = this.record;
    return {
      changeTrackingEnabled: tracked,
      hardware: {
        device: devicesOf(
          disks.map(({ instant, ...disk }) =>
            tracked ? { ...disk, changeId: formatChangeId(instant) } : disk,
          ),
        ),
      },
    };
  }

  /** The one taken next after it, or none. */
  get childSnapshot(): VirtualMachineSnapshot<Vm>[] {
    const [next, ...later] = this.#later;
    return next === undefined ? [] : [new VirtualMachineSnapshot(this.vm, next, later)];
  }

  /** Id of the session that serves its content; what VixDiskLib reads from. */
  get session(): string {
    return this.record.session;
  }

  /** @internal Throws unless the session's disk is the one of the snapshot. */
  requireDiskOf(session: Session, disk: string): void {
    const found = this.record.disks.find((one) => one.disk === disk);
    if (found !== undefined) requireDiskOf(session, found);
  }

  /**
   * Removes the snapshot; its changeIds go on answering. `removeChildren` removes those taken after it as well.
   * @param removeChildren Whether the snapshots taken after it are removed too.
   * @param _consolidate Of no effect: there is nothing to consolidate.
   * @returns The task; its `wait()` throws the fault.
   */
  RemoveSnapshot_Task(removeChildren: boolean, _consolidate = true): Task<void> {
    return this.vm.removeSnapshot(this, removeChildren);
  }

  /**
   * Gives it another name, another description, or both; `InvalidName` for a name that is empty or longer than 80 characters. Ended by
   * its caller's time it may have its new name all the same.
   * @param name Its name.
   * @param description In words.
   * @param options Signal and deadline.
   * @throws A fault: InvalidName for a name that is none.
   */
  async RenameSnapshot(name?: string, description?: string, options?: CallOptions): Promise<void> {
    await this.vm.renameSnapshot(this, name, description, options);
  }

  /**
   * Always ends with `NotSupported`: see docs/coverage.md.
   * @param _host Of no effect.
   * @param _suppressPowerOn Of no effect.
   * @returns The task; its `wait()` throws the fault.
   */
  RevertToSnapshot_Task(_host?: ManagedObjectReference | null, _suppressPowerOn?: boolean): Task<void> {
    return this.vm.revertToSnapshot();
  }
}

/** The value of a snapshot's reference: of all snapshots on this machine it alone has it. */
export function snapshotValue(vm: string, id: number): string {
  return `${vm.replace(/^vm-/, '')}-snapshot-${id}`;
}
