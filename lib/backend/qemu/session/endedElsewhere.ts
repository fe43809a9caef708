/**
 * A session of ours that somebody else ends, by another monitor or through libvirt: it is ours until that is done. Then its lock and its guard
 * are let go of; where whoever ends it died half-way, the guard finishes what it was at.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { tagOf } from '../own/ids.js';
import { isLeaseGone, type Lease, readLease } from '../own/lease.js';
import { findSessions } from '../own/sessionParts.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { letGoOfSession } from './owner.js';

/** How long an end may stand still: each step of one is given half of it. */
const PATIENCE_MS = 120_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Never rejects. With the connection lost it is the guard's. */
export async function letGoWhenEnded(client: QmpPort, folder: string, session: string): Promise<void> {
  let until = Date.now() + PATIENCE_MS;
  for (let pauseMs = FIRST_PAUSE_MS; client.open; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    if (await isLeaseGone(folder)) return letGoOfSession(session);
    if (Date.now() > until) {
      // An overlay is written back for as long as it takes.
      if (!(await isWorkedOn(client, session))) break;
      until = Date.now() + PATIENCE_MS;
    }
    // Keeps no process alive: the guard sees to what is left.
    await delay(pauseMs, undefined, { ref: false });
  }
  await letGoOfSession(session, 'undo');
}

/** How long a record that is there and cannot be read is asked again. */
const UNREAD_MS = 10_000;

/** The session's record; null where it ended. 'unread': it is there, and cannot be read for as long as it was asked. */
export async function askLease(folder: string): Promise<Lease | 'unread' | null> {
  const until = Date.now() + UNREAD_MS;
  for (;;) {
    const lease = await readLease(folder);
    if (lease !== null) return lease;
    if (await isLeaseGone(folder)) return null;
    if (Date.now() >= until) return 'unread';
    await delay(FIRST_PAUSE_MS);
  }
}

async function isWorkedOn(client: QmpPort, session: string): Promise<boolean> {
  const parts = await findSessions(client).catch(() => null);
  return (parts?.get(tagOf(session))?.jobs.length ?? 0) > 0;
}
