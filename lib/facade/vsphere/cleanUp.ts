/** Tidying up after processes that died: what they held is free, and snapshots that they had only begun are ended. */
import { hasEnded } from '../../core/session.js';
import type { Vm } from '../../core/vm.js';
import { mayBeUnseen } from '../../linux/lockReach.js';
import { dropDead } from './hold.js';
import { tryLock } from './recordLock.js';
import type { VirtualMachine } from './virtualMachine.js';
import type { VmRecord } from './vmRecord.js';

export async function cleanUpVm(vm: VirtualMachine): Promise<{ cleaned: number; remaining: number }> {
  let cleaned = await dropDead(vm);
  const before = (await vm.record()).pending.length;
  if (before === 0) return { cleaned, remaining: 0 };
  await using beginning = await tryLock(vm.recordFile, 'begin');
  // Somebody is beginning one, and ends what others left first.
  if (beginning === null) return { cleaned, remaining: 0 };
  const failed = await vm
    .withVm((connected) => endPending(vm, connected))
    .then(
      () => false,
      () => true,
    );
  const { pending } = await vm.record();
  cleaned += Math.max(0, before - pending.length);
  return { cleaned, remaining: failed ? pending.length : 0 };
}

/**
 * Ends sessions whose process died before it could remember them as snapshots: nobody knows of them. For whoever has the
 * lock on beginning one: then whoever was beginning those is gone.
 */
export async function endPending(vm: VirtualMachine, connected: Vm): Promise<void> {
  for (const { session, owner } of (await vm.record()).pending) {
    if (await mayBeUnseen(vm.recordFile, owner)) continue;
    try {
      await (await connected.resume(session)).rollback();
    } catch (thrown) {
      if (!hasEnded(thrown)) throw thrown;
    }
    await vm.updateRecord((record) => dropPending(record, session));
  }
}

export function dropPending(record: VmRecord, session: string): void {
  record.pending = record.pending.filter((one) => one.session !== session);
}
