/** The port through which points in time are taken and removed. */
import type { TrackedState } from './beginPlan.js';
import type { BitmapAction } from './chainPlan.js';
import type { DiskState } from './diskSource.js';

/** Where bitmaps can be changed: one QEMU process, with the disks that are asked for. */
export interface TrackingTarget {
  /** The disks, each with its state now; a disk that cannot be read comes with its error. */
  disks(signal?: AbortSignal): Promise<TrackedState[]>;
  /** The other disks of the same QEMU, as {@link disks} met them last: nothing is done to them. */
  others?(): readonly DiskState[];
  /** Carries out the actions of all disks in one transaction, in order; all or nothing. */
  apply(changes: readonly DiskChange[], signal?: AbortSignal): Promise<void>;
}

export interface DiskChange {
  disk: string;
  actions: readonly BitmapAction[];
}
