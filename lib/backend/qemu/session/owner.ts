/**
 * Who looks after a session: the process that holds the kernel's lock on a file in the session's folder, from before its
 * record is written until the session is over. No number and no name decides.
 */
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import { type HeldLock, isHeld, tryHold } from '../../../linux/kernelLock.js';
import { mayBeUnseen } from '../../../linux/lockReach.js';
import { lstatOrNull } from '../../../linux/target.js';
import { tagOf } from '../own/ids.js';
import { type Lease, readLease } from '../own/lease.js';
import { Guard, type GuardOrder } from './guard.js';

export const OWNER_NAME = 'owner.lock';

/** Sessions of this very process; with its connection lost, a session is nobody's, however alive we are. */
const ours = new Map<string, { lock: HeldLock; guard: Guard | null }>();

/** Makes the session in this folder ours, with a guard that ends it should we die. */
export async function holdSession(folder: string, session: string): Promise<void> {
  const file = path.join(folder, OWNER_NAME);
  const lock = await tryHold(file, { create: 0o600 });
  if (lock === null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${file} is held by another process`, {
      reason: 'BUSY',
      details: { session },
    });
  ours.set(session, { lock, guard: Guard.start(folder, lock.file.fd) });
}

/** Whether a guard of this session could be started: then it can be told to watch the session's files. */
export function isGuarded(session: string): boolean {
  return ours.get(session)?.guard != null;
}

/** Sessions that this process left to their guards. */
const abandoned = new Set<string>();

/** Whether a session was this process's, and is not any more although it is not over: who holds it can only be its guard. */
export function isAbandoned(session: string): boolean {
  return abandoned.has(session);
}

/** The session is over, or nobody's, or (`undo`) its guard's to roll back. */
export async function letGoOfSession(session: string, order: GuardOrder = 'end'): Promise<void> {
  const own = ours.get(session);
  ours.delete(session);
  if (own !== undefined && order === 'undo') abandoned.add(session);
  own?.guard?.tell(order);
  await own?.lock.release();
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

/** Takes a session over that QEMU does not hold any more; null where it is over by now, BUSY where somebody keeps it all the same. */
export async function holdingLost<T>(
  { folder, lease }: { folder: string; lease: Lease },
  work: () => Promise<T>,
): Promise<T | null> {
  const { session, machine, owner } = lease;
  if ((await readLease(folder))?.session !== session) return null;
  const file = path.join(folder, OWNER_NAME);
  await using lock = await tryHold(file, { create: 0o600, waitMs: CLEANUP_MS }).catch((error: unknown) => {
    if (error instanceof CbtError && error.details['errno'] === 'ENOENT') return undefined;
    throw error;
  });
  if (lock === undefined || (await readLease(folder))?.session !== session) return null;
  if (lock !== null) return await work();
  const who = owner === null ? 'a process' : `process ${owner.pid} on ${machine.host}`;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `session ${session}, which its QEMU no longer has, is still in the hands of ${who} (${folder})`,
    { reason: 'BUSY', details: { session, folder } },
  );
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
