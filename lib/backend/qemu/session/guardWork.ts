/** What a session's guard does (host/guard.ts): ends the session of a process that is gone, or watches the files of one that needs none. */
import { closeSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError } from '../../../core/errors.js';
import { type HeldLock, tryHold } from '../../../linux/kernelLock.js';
import { tagOf } from '../own/ids.js';
import { isLeaseGone, type Lease, readLease } from '../own/lease.js';
import { clearLeftQueries } from '../own/leftQueries.js';
import { isListening } from '../own/nbdServer.js';
import { findSessions } from '../own/sessionParts.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { type FindWay, isNobodyThere } from '../wayToQemu.js';
import { endSession } from './ending.js';
import { type LeftFolder, removeUnbegun, undoLostSession } from './leftFolders.js';
import { endLeftFreeze } from './leftFreeze.js';
import { OWNER_NAME } from './owner.js';
import { OVERLAY_FILE, SCRATCH_FILE } from './teardown.js';

/** How long it goes on trying. */
const PATIENCE_MS = 120_000;
/** A monitor serves one client at a time: another that has it is not waited for long with the lock in our hands. */
const FIRST_CONNECT_MS = 300;
const LONGEST_CONNECT_MS = 5_000;
const PAUSE_MS = 500;

/** Rolls the session in this folder back, or finishes the commit that it was in. `descriptor` has the session's lock. */
export async function undo(folder: string, descriptor: number, findWay: FindWay): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  if (await tryUndo(folder, findWay, FIRST_CONNECT_MS)) return;
  // From here on whoever has the monitor may do it instead.
  closeSync(descriptor);
  for (let connectMs = 2 * FIRST_CONNECT_MS; Date.now() < until; connectMs *= 2) {
    await delay(PAUSE_MS);
    const lock = await hold(folder);
    if (lock === null) return;
    try {
      if (await tryUndo(folder, findWay, connectMs)) return;
    } finally {
      await lock.release();
    }
  }
}

/** Null where somebody else has it, or the session is over. */
async function hold(folder: string): Promise<HeldLock | null> {
  return tryHold(path.join(folder, OWNER_NAME)).catch(() => null);
}

/** True when there is nothing more to do, or nothing that trying again could do. */
async function tryUndo(folder: string, findWay: FindWay, connectMs = LONGEST_CONNECT_MS): Promise<boolean> {
  const lease = await readLease(folder);
  if (lease === null) {
    await removeUnbegun(folder);
    return isLeaseGone(folder);
  }
  const way = await findWay(lease.vm);
  // First, and whatever becomes of QEMU's monitor: a guest that we froze stands still.
  await endLeftFreeze({ folder, lease }, way);
  try {
    const client = await way.connect({ timeoutMs: Math.min(connectMs, LONGEST_CONNECT_MS) });
    await undoOn(client, { folder, lease }).finally(() => client.close());
    return true;
  } catch (error) {
    // With QEMU gone nothing of it is left but files, which tell the next session or doctor what there was.
    return !(error instanceof CbtError) || isNobodyThere(error);
  }
}

async function undoOn(client: QmpPort, { folder, lease }: LeftFolder): Promise<void> {
  const held = (await findSessions(client)).has(tagOf(lease.session));
  if (held) await endSession(client, { folder, lease }, lease.ending ?? 'rollback');
  else await undoLostSession(client, { folder, lease });
  await clearLeftQueries(client);
}

/** No disk takes more in a second. */
const FASTEST_BYTES_PER_S = 4 * 2 ** 30;
const SHORTEST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 5_000;
/** Between two looks whether QEMU is still there. */
const ALIVE_MS = 30_000;
/** Of the limit: what other files must leave free. */
const LEAST_FREE = 1 / 16;

/** Ends the session when its files come to `limitBytes`, or their file system is about to be full; until it is over. */
export async function watch(folder: string, limitBytes: number, findWay: FindWay): Promise<void> {
  let known: Lease | null = null;
  for (let asked = Date.now(); ; ) {
    const lease = await readLease(folder);
    // One that cannot be read now may be again.
    if (lease === null && (await isLeaseGone(folder))) return;
    known = lease ?? known;
    const left = await roomLeft(folder, limitBytes);
    if (left <= 0) {
      if (await tryUndo(folder, findWay)) return;
    } else if (Date.now() - asked > ALIVE_MS) {
      asked = Date.now();
      if (known === null || !(await isListening(known.nbdSocket))) return;
    }
    const soon = (Math.max(0, left) / FASTEST_BYTES_PER_S / 2) * 1_000;
    await delay(Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, soon)));
  }
}

/** Bytes that the session's files may still grow by. */
async function roomLeft(folder: string, limitBytes: number): Promise<number> {
  const names = (await readdir(folder)).filter((name) => SCRATCH_FILE.test(name) || OVERLAY_FILE.test(name));
  const sizes = await Promise.all(names.map((name) => stat(path.join(folder, name)).catch(() => null)));
  const used = sizes.reduce((sum, info) => sum + 512 * (info?.blocks ?? 0), 0);
  const { bavail, bsize } = await statfs(folder);
  return Math.min(limitBytes - used, bavail * bsize - limitBytes * LEAST_FREE);
}
