/** A snapshot: a point in time on all disks and, while it exists, their content at that instant. */
import { formatChangeId } from '../../core/changeId.js';
import type { Session } from '../../core/session.js';
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { requireDiskOf } from './content.js';
import { deviceOf, snapshotMoref } from './shapes.js';
import type { Task } from './task.js';
import type { ManagedObjectReference, VirtualDisk } from './types.js';

/** The VM of a snapshot, as far as the snapshot needs it. */
export interface SnapshotOwner {
  /** @internal */
  removeSnapshot(snapshot: ManagedObjectReference, removeChildren: boolean): Task<void>;
  /** @internal */
  revertToSnapshot(): Task<void>;
}

/** A snapshot of a VM. */
export class VirtualMachineSnapshot<Vm extends SnapshotOwner = SnapshotOwner> {
  readonly moref: ManagedObjectReference;

  /** @internal VirtualMachine.findSnapshot makes them. */
  constructor(
    readonly vm: Vm,
    readonly record: SnapshotRecord,
  ) {
    this.moref = snapshotMoref(record.id);
  }

  /** The VM's configuration at the instant; each tracked disk with the changeId that names it. */
  get config(): { hardware: { device: VirtualDisk[] }; changeTrackingEnabled: boolean } {
    return {
      changeTrackingEnabled: this.record.tracked,
      hardware: {
        device: this.record.disks.map(({ instant, ...disk }) =>
          deviceOf(this.record.tracked ? { ...disk, changeId: formatChangeId(instant) } : disk),
        ),
      },
    };
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

  /** Removes the snapshot; its changeIds go on answering. `removeChildren` removes those taken after it as well. */
  RemoveSnapshot_Task(removeChildren: boolean, _consolidate = true): Task<void> {
    return this.vm.removeSnapshot(this.moref, removeChildren);
  }

  /** Always ends with `NotSupported`: see docs/coverage.md. */
  RevertToSnapshot_Task(): Task<void> {
    return this.vm.revertToSnapshot();
  }
}
