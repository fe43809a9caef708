/** Ending what keeps snapshots readable, and forgetting their names; their points in time stay where they were tracked. */
import { CbtError } from '../../core/errors.js';
import { VimFault } from './faults.js';
import type { VirtualMachine } from './virtualMachine.js';
import type { SnapshotRecord } from './vmRecord.js';

export async function endSnapshots(
  vm: VirtualMachine,
  chosen: (snapshot: SnapshotRecord) => boolean,
): Promise<void> {
  const record = await vm.record();
  for (const snapshot of record.snapshots.filter(chosen)) {
    await vm.withVm(async (connected) => {
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
    });
    await vm.updateRecord((known) => {
      known.snapshots = known.snapshots.filter(({ id }) => id !== snapshot.id);
    });
  }
  await vm.refresh();
}
