/** Tidying up after processes that died: what they held is free, and snapshots that they had only begun are ended. */
import { outcomeOf } from '../../core/outcome.js';
import { pointLeftAfter } from '../../core/pointLeft.js';
import { hasEnded } from '../../core/session.js';
import type { Vm } from '../../core/vm.js';
import { dropDead } from '../../host/holds.js';
import type { VmRecord } from '../../host/vmRecord.js';
import { mayBeUnseen } from '../../linux/lockReach.js';
import type { VmContext } from './vmContext.js';

export async function cleanUpVm(vm: VmContext): Promise<{ cleaned: number; remaining: number }> {
  let cleaned = await dropDead(await vm.holders());
  const before = (await vm.records.read()).pending.length;
  if (before === 0) return { cleaned, remaining: 0 };
  await using beginning = await vm.records.tryLock('begin');
  // Somebody is beginning one, and ends what others left first.
  if (beginning === null) return { cleaned, remaining: 0 };
  const failed = await vm
    .withVm((connected) => endPending(vm, connected))
    .then(
      () => false,
      () => true,
    );
  const { pending } = await vm.records.read();
  cleaned += Math.max(0, before - pending.length);
  return { cleaned, remaining: failed ? pending.length : 0 };
}

/**
 * Ends sessions whose process died before it could remember them as snapshots: nobody knows of them. For whoever has the
 * lock on beginning one: then whoever was beginning those is gone.
 */
export async function endPending(vm: VmContext, connected: Vm): Promise<void> {
  for (const { session, owner } of (await vm.records.read()).pending) {
    if (await mayBeUnseen(vm.records.file, owner)) continue;
    try {
      const { disks } = await outcomeOf((await connected.resume(session)).rollback());
      const [left] = pointLeftAfter(disks);
      // Of a disk that is not on a running VM any more the session's own record tells whoever meets it again.
      if (left !== undefined && !connected.running) throw left.why;
    } catch (thrown) {
      if (!hasEnded(thrown)) throw thrown;
    }
    await vm.records.update((record) => dropPending(record, session));
  }
}

export function dropPending(record: VmRecord, session: string): void {
  record.pending = record.pending.filter((one) => one.session !== session);
}
