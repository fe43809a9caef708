/**
 * Who looks after a session: the process that holds the kernel's lock on a file in the session's folder, from before its
 * record is written until the session is over. No number and no name decides.
 */
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import { type HeldLock, isHeld, tryHold } from '../../../linux/kernelLock.js';
import { mayBeUnseen } from '../../../linux/lockReach.js';
import { lstatOrNull } from '../../../linux/target.js';
import { tagOf } from './ids.js';
import type { Lease } from './lease.js';

export const OWNER_NAME = 'owner.lock';

/** Sessions of this very process; with its connection lost, a session is nobody's, however alive we are. */
const ours = new Map<string, HeldLock>();

/** Makes the session in this folder ours. */
export async function holdSession(folder: string, session: string): Promise<HeldLock> {
  const file = path.join(folder, OWNER_NAME);
  const lock = await tryHold(file, { create: 0o600 });
  if (lock === null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${file} is held by another process`, {
      reason: 'BUSY',
      details: { session },
    });
  ours.set(session, lock);
  return lock;
}

export async function letGoOfSession(session: string): Promise<void> {
  const lock = ours.get(session);
  ours.delete(session);
  await lock?.release();
}

/** Whether this process looks after, or is beginning, the session that this tag stands for. */
export function isOurs(tag: string): boolean {
  return [...ours.keys()].some((session) => tagOf(session) === tag);
}

/** Who looks after a session: a process that runs, one that is gone, nobody by design, or one that cannot be seen from here. */
export type Keeper = 'alive' | 'dead' | 'detached' | 'unknown';

export async function keeperOf(folder: string, { owner, machine }: Lease): Promise<Keeper> {
  if (owner === null) return 'detached';
  const file = path.join(folder, OWNER_NAME);
  // The record is never without it: somebody took it away, and with it what could be known.
  if ((await lstatOrNull(file)) === null) return 'unknown';
  if (await isHeld(file)) return 'alive';
  return (await mayBeUnseen(folder, machine)) ? 'unknown' : 'dead';
}

/** How long what cleans up after a process that died may take. */
const CLEANUP_MS = 5_000;

/** Takes a session over from a process that is gone, for as long as `work` takes; null where somebody holds it. */
export async function takingOver<T>(
  folder: string,
  { owner, session }: Lease,
  work: () => Promise<T>,
): Promise<T | null> {
  if (owner === null || ours.has(session)) return null;
  const lock = await tryHold(path.join(folder, OWNER_NAME), seemsGone(owner) ? { waitMs: CLEANUP_MS } : {});
  if (lock === null) return null;
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** A hint, for patience only: nothing is taken from anybody because of it. */
function seemsGone({ pid }: { pid: number }): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
