/** Ending what keeps snapshots readable, and forgetting their names; their points in time stay where they were tracked. */
import { CbtError, losesChain } from '../../core/errors.js';
import { outcomeOf } from '../../core/outcome.js';
import { hasEnded } from '../../core/session.js';
import type { Vm } from '../../core/vm.js';
import { keepNewest, pointsInUse } from '../../host/keepPoints.js';
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { resumeSnapshot } from './content.js';
import { SnapshotFault } from './faultClasses.js';
import type { VmContext } from './vmContext.js';

export async function endSnapshots(
  vm: VmContext,
  signal: AbortSignal,
  chosen: (snapshot: SnapshotRecord) => boolean,
): Promise<void> {
  const record = await vm.records.read();
  for (const snapshot of record.snapshots.filter(chosen)) {
    // A QEMU whose socket alone is gone has the images locked: it is not taken for one that is off, and its session not forgotten.
    await vm.withVm(async (connected) => {
      const kept = await endSession(connected, snapshot).catch((thrown: unknown) => {
        const what = `snapshot ${snapshot.name} could not be ended in order`;
        throw new SnapshotFault(what, {}, thrown);
      });
      // First: what is called off, or killed, from here on leaves points, and no name without a snapshot.
      await vm.records.update((known) => {
        known.snapshots = known.snapshots.filter(({ id }) => id !== snapshot.id);
      });
      const spare = async (): Promise<string[]> => pointsInUse(await vm.records.read());
      await keepNewest(connected, kept, vm.entry.keepPoints, { spare, signal });
    });
  }
}

/** Returns only when QEMU holds nothing of it any more: the disks on which its point in time stays. */
async function endSession(connected: Vm, snapshot: SnapshotRecord): Promise<readonly string[]> {
  const { tracked } = snapshot;
  try {
    const session = await resumeSnapshot(connected, snapshot);
    // Off, a disk that is another one by now, or has lost its history, has nothing of it; one that cannot be asked may have.
    const unseen = session.disks.find(({ error }) => error !== undefined && !losesChain(error))?.error;
    if (unseen !== undefined) throw unseen;
    try {
      // A disk on which nothing of it is left is none to wait for.
      const { disks } = await outcomeOf(tracked ? session.commit() : session.rollback());
      return tracked ? disks.flatMap(({ disk, error }) => (error === undefined ? [disk] : [])) : [];
    } catch (thrown) {
      // Broken, or half-way rolled back by somebody: its point in time goes, and the next query with its changeId says so.
      const undone = thrown instanceof CbtError && thrown.details['ending'] === 'rollback';
      if (session.broken === null && !undone) throw thrown;
      await outcomeOf(session.rollback());
      return [];
    }
  } catch (thrown) {
    // With a restart of QEMU, or by somebody else: there is only its name left to remove.
    if (!hasEnded(thrown)) throw thrown;
    return [];
  }
}
