/**
 * A guest is never left frozen: before the freeze is sent the session's record says so, and the record stays until a thaw is
 * confirmed. Whoever finds the session later thaws first of all. A freeze that no record of ours tells of is left alone.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import type { FreezeRecord } from '../guest/frozenWork.js';
import { type Lease, writeLease } from '../own/lease.js';
import type { QemuHost } from '../qemuHost.js';

/** The record in a session's lease; `agent` as records name it. */
export function freezeRecordOf(folder: string, lease: Lease, agent: string): FreezeRecord {
  return {
    async freezing() {
      lease.frozen = { agent, since: new Date().toISOString() };
      try {
        await writeLease(folder, lease);
      } catch (cause) {
        lease.frozen = undefined;
        const why = cause instanceof Error ? cause.message : String(cause);
        const message = `the guest behind ${agent} is not frozen, because it could not be recorded in ${folder}: ${why}`;
        throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { cause });
      }
    },
    async thawed() {
      lease.frozen = undefined;
      await writeLease(folder, lease);
    },
  };
}

/**
 * Thaws the guest that a session was left frozen for; says what was found. Where it cannot be thawed the record stays, and so
 * must its folder: the next one tries again.
 */
export async function endLeftFreeze(
  { folder, lease }: { folder: string; lease: Lease },
  guest: Pick<QemuHost, 'thawLeft'>,
  options?: WaitOptions,
): Promise<string[]> {
  if (lease.frozen === undefined) return [];
  const { agent, since } = lease.frozen;
  const whose = `session ${lease.session} left the guest behind ${agent} frozen at ${since}`;
  try {
    const thawed = await guest.thawLeft(agent, options?.signal);
    lease.frozen = undefined;
    await writeLease(folder, lease).catch(() => undefined);
    return thawed ? [`${whose}: it is thawed now`] : [];
  } catch (error) {
    return [
      `${whose}, and it could not be thawed: ${error instanceof Error ? error.message : String(error)}`,
    ];
  }
}
