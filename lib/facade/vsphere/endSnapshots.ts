/** Ending what keeps snapshots readable, and forgetting their names; their points in time stay where they were tracked. */
import { CbtError } from '../../core/errors.js';
import type { Vm } from '../../core/vm.js';
import { VimFault } from './faults.js';
import { readOffDisks } from './offDisks.js';
import type { VirtualMachine } from './virtualMachine.js';
import type { SnapshotRecord } from './vmRecord.js';

export async function endSnapshots(
  vm: VirtualMachine,
  chosen: (snapshot: SnapshotRecord) => boolean,
): Promise<void> {
  const record = await vm.record();
  for (const snapshot of record.snapshots.filter(chosen)) {
    const end = async (connected: Vm): Promise<void> => {
      try {
        const session = await connected.resume(snapshot.session);
        await (snapshot.tracked ? session.commit() : session.rollback());
      } catch (thrown) {
        // Ended with a restart of QEMU, or by somebody else: there is only its name left to remove.
        if (!(thrown instanceof CbtError && thrown.code === 'ERR_CBT_CLOSED'))
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
    await vm.updateRecord((known) => {
      known.snapshots = known.snapshots.filter(({ id }) => id !== snapshot.id);
    });
  }
  await vm.refresh();
}
