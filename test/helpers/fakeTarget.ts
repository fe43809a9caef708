/** A VM of disks in given states, which carries out nothing and remembers what it was asked. */
import type { DiskState } from '../../lib/core/diskSource.js';
import { CbtError } from '../../lib/core/errors.js';
import type { TrackedState } from '../../lib/core/tracking.js';
import type { DiskChange, TrackingTarget } from '../../lib/core/trackingTarget.js';

export class FakeVm implements TrackingTarget {
  readonly transactions: (readonly DiskChange[])[] = [];
  readonly #disks: TrackedState[];
  readonly #failure: CbtError | undefined;

  constructor(disks: Record<string, DiskState | CbtError>, failure?: CbtError) {
    this.#disks = Object.entries(disks).map(([disk, found]) =>
      found instanceof CbtError ? { disk, error: found } : { disk, state: { ...found, disk } },
    );
    this.#failure = failure;
  }

  others: () => DiskState[] = () => [];

  async disks(): Promise<TrackedState[]> {
    return this.#disks;
  }

  async apply(changes: readonly DiskChange[]): Promise<void> {
    this.transactions.push(changes);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

export const epoch = (n: number): string => `eeeeeeee-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

export const unreadable = new CbtError('ERR_CBT_UNSUPPORTED', 'no format node', { disk: 'vdx' });

export const kinds = (change: DiskChange | undefined): string[] => (change?.actions ?? []).map((a) => a.kind);
