/** Ending what keeps snapshots readable, and forgetting their names; their points in time stay where they were tracked. */
import { CbtError } from '../../core/errors.js';
import { hasEnded } from '../../core/session.js';
import type { Vm } from '../../core/vm.js';
import type { SnapshotRecord } from '../../host/vmRecord.js';
import { VimFault } from './faults.js';
import { readOffDisks } from './offDisks.js';
import type { VmContext } from './vmContext.js';

export async function endSnapshots(
  vm: VmContext,
  chosen: (snapshot: SnapshotRecord) => boolean,
): Promise<void> {
  const record = await vm.records.read();
  for (const snapshot of record.snapshots.filter(chosen)) {
    const end = async (connected: Vm): Promise<void> => {
      try {
        await endSession(connected, snapshot);
      } catch (thrown) {
        throw new VimFault(
          'SnapshotFault',
          `snapshot ${snapshot.name} could not be ended in order`,
          {},
          thrown,
        );
      }
    };
    // Off: sessions went with QEMU, and what the images hold of the snapshot is its point in time, which stays. A QEMU whose socket alone
    // is gone has the images locked, and its session must not be forgotten.
    await vm.onOrOff(end, async (images) => void (await readOffDisks(images)));
    await vm.records.update((known) => {
      known.snapshots = known.snapshots.filter(({ id }) => id !== snapshot.id);
    });
  }
}

/** Returns only when QEMU holds nothing of it any more. */
async function endSession(connected: Vm, { session: id, tracked }: SnapshotRecord): Promise<void> {
  try {
    const session = await connected.resume(id);
    try {
      await (tracked ? session.commit() : session.rollback());
    } catch (thrown) {
      // Broken, or half-way rolled back by somebody: its point in time goes, and the next query with its changeId says so.
      const undone = thrown instanceof CbtError && thrown.details['ending'] === 'rollback';
      if (session.broken === null && !undone) throw thrown;
      await session.rollback();
    }
  } catch (thrown) {
    // With a restart of QEMU, or by somebody else: there is only its name left to remove.
    if (!hasEnded(thrown)) throw thrown;
  }
}
