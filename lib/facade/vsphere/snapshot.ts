/** A snapshot: a point in time on all disks and, while it exists, their content at that instant. */
import { formatChangeId } from '../../core/changeId.js';
import { RemoveSnapshot_Task } from './methods/RemoveSnapshot_Task.js';
import { RevertToSnapshot_Task } from './methods/RevertToSnapshot_Task.js';
import { deviceOf, snapshotMoref } from './shapes.js';
import type { Task } from './task.js';
import type { ManagedObjectReference, VirtualDisk } from './types.js';
import type { VirtualMachine } from './virtualMachine.js';
import type { SnapshotRecord } from './vmRecord.js';

/** A snapshot of a VM. */
export class VirtualMachineSnapshot {
  readonly moref: ManagedObjectReference;

  /** @internal VirtualMachine.findSnapshot makes them. */
  constructor(
    readonly vm: VirtualMachine,
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

  /** Removes the snapshot; its changeIds go on answering. `removeChildren` removes those taken after it as well. */
  RemoveSnapshot_Task(removeChildren: boolean, consolidate?: boolean): Task<void> {
    return RemoveSnapshot_Task(this.vm, this.moref, removeChildren, consolidate);
  }

  /** Always ends with `NotSupported`: see docs/coverage.md. */
  RevertToSnapshot_Task(): Task<void> {
    return RevertToSnapshot_Task(this.vm);
  }
}
