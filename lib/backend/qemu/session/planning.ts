/** Which disks take part in a session, and what is to be done to their bitmaps. */
import { randomUUID } from 'node:crypto';
import { type FullDisk, type IncrementalDisk, planBegins } from '../../../core/beginPlan.js';
import { CbtError, type DiskFailure, invalidArgument } from '../../../core/errors.js';
import { nothingDone } from '../../../core/outcome.js';
import type { Point } from '../../../core/point.js';
import type { SessionMode } from '../../../core/session.js';
import { lastingIdentity } from '../../../linux/fileIdentity.js';
import { findShortOfRoom } from '../graph/closingRoom.js';
import { requireSafeExport } from '../graph/ioThreads.js';
import { findOverwritten, imageOf } from '../graph/overwritten.js';
import type { QmpTrackingTarget } from '../graph/trackingTarget.js';
import type { TrackableDisk } from '../graph/vmDisk.js';
import { tagOf } from '../own/ids.js';
import type { LeaseDisk } from '../own/lease.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import type { PlannedDisk } from './fleece.js';
import { requireOverlayable } from './overlay.js';
import { requireReopenable } from './reopening.js';

export interface SessionPlan {
  planned: PlannedDisk[];
  leased: LeaseDisk[];
  /** Disks that take no part, each with its error. */
  refused: readonly DiskFailure[];
}

/** What the caller of a session wants, and the points in time that nothing is built on unless he says so. */
export interface AskedSession {
  pit: string;
  base: Point | undefined;
  uncommitted: ReadonlySet<string> | undefined;
  mode: SessionMode;
}

/** The plan of every disk as it is now. Throws when none can take part. */
export async function planSession(
  client: QmpPort,
  target: QmpTrackingTarget,
  session: AskedSession,
  signal: AbortSignal | undefined,
): Promise<SessionPlan> {
  const refused: DiskFailure[] = [];
  const plan: SessionPlan = { planned: [], leased: [], refused };
  const tracked = await target.disks(signal);
  for (const begun of planBegins(tracked, target.others(), { ...session, drawUuid: randomUUID })) {
    try {
      if ('error' in begun) throw begun.error;
      const disk = target.nodeOf(begun.disk);
      await requireSafeExport(client, disk, { signal });
      const overwritten = await findOverwritten(client, imageOf(disk, begun.disk), signal);
      if (overwritten !== null) throw overwritten;
      const index = plan.planned.length;
      if (session.mode === 'overlay') {
        await requireRoomNow(disk, signal);
        await requireReopenable(client, { tag: tagOf(session.pit), index, disk }, { signal });
      }
      plan.planned.push({ index, disk, actions: begun.plan.actions });
      const image = disk.filename.startsWith('/') ? { image: disk.filename } : {};
      const file = image.image === undefined ? null : await lastingIdentity(image.image);
      plan.leased.push({
        ...toLease(index, disk.formatNode, begun.outcome),
        ...image,
        ...(file !== null && { file }),
      });
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      refused.push({ disk: begun.disk, error: error.about(begun.disk) });
    }
  }
  if (plan.planned.length > 0) return plan;
  if (refused.length > 0) throw nothingDone(refused);
  throw invalidArgument('disks', 'none', 'at least one disk that can be tracked');
}

/** An overlay turns its image read-only, which stores the bitmaps at once. */
async function requireRoomNow(disk: TrackableDisk, signal: AbortSignal | undefined): Promise<void> {
  requireOverlayable(disk);
  const short = await findShortOfRoom(disk, { signal });
  if (short !== null) throw short;
}

/**
 * The same disks planned again, now that everything is prepared and no other session can come in between: a plan made
 * before may have met a point in time that another session took since.
 */
export async function planAgain(
  client: QmpPort,
  target: QmpTrackingTarget,
  session: AskedSession,
  before: SessionPlan,
  signal: AbortSignal | undefined,
): Promise<SessionPlan> {
  const now = await planSession(client, target, session, signal);
  if (placesOf(now) === placesOf(before)) return now;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the disks of ${client.name} changed while a session was prepared: begin again`,
    { reason: 'BUSY' },
  );
}

/** What leaves an encrypted disk in clear, because QEMU has the key and not we. */
export function clearTextWarnings({ planned }: SessionPlan, folder: string): string[] {
  return planned
    .filter(({ disk }) => disk.encrypted)
    .map(
      ({ disk }) =>
        `${disk.id} is encrypted: its export, every backup read from it, and what the guest overwrites meanwhile (in ${folder}) are in clear`,
    );
}

function placesOf({ leased }: SessionPlan): string {
  return JSON.stringify(leased.map(({ index, node, sizeBytes, image }) => [index, node, sizeBytes, image]));
}

function toLease(index: number, node: string, outcome: IncrementalDisk | FullDisk): LeaseDisk {
  const { disk, sizeBytes, verdict, reason, message, base, epoch, changeId } = outcome;
  return {
    index,
    node,
    disk,
    sizeBytes,
    verdict,
    ...(reason && { reason }),
    ...(message && { message }),
    ...(base && { base }),
    ...(epoch && { epoch }),
    ...(changeId && { changeId }),
  };
}
