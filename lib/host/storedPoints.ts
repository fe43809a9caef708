/**
 * What an image at rest holds after a change: read back from the file, which alone decides whether the change happened. What
 * did not come out as it should leaves no point in time that nobody would know of.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { QmpTrackingTarget } from '../backend/qemu/graph/trackingTarget.js';
import { withStorageDaemon } from '../backend/qemu/storageDaemon.js';
import { CbtError, trackingLost } from '../core/errors.js';
import { mayReturn, type PointLeft, pointLeftAfter } from '../core/pointLeft.js';
import type { PitList } from '../core/trackedDisk.js';
import { type DiskOutcome, rollback, type TrackingOutcome, undo } from '../core/tracking.js';
import type { TrackingTarget } from '../core/trackingTarget.js';
import { openImageDisk } from './openFile.js';
import { requireRoomForBitmaps } from './roomForBitmaps.js';

/** The points in time of an image that nobody has open for writing. */
export async function readPoints(path: string, signal?: AbortSignal): Promise<PitList> {
  await using disk = await openImageDisk(path, { format: 'qcow2', signal });
  return await disk.pits({ signal });
}

/** Whether somebody may come to build on the point: it is the newest of a chain that is whole, or on one that may be whole again. */
export async function mayBeNewest(path: string, pit: string, signal?: AbortSignal): Promise<boolean> {
  const { state, pits, problems } = await readPoints(path, signal);
  if (state === 'recording') return pits.at(-1)?.pit === pit;
  return pits.some((one) => one.pit === pit) && mayReturn(problems[0]?.reason);
}

/** The history of each image that can be read and has one; what is wrong with another is said when it is its turn. */
export async function readHistories(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<{ disk: string; epoch: string }[]> {
  const known: { disk: string; epoch: string }[] = [];
  for (const disk of paths) {
    const epoch = await readPoints(disk, signal).then(
      (points) => points.epoch,
      () => null,
    );
    if (epoch !== null) known.push({ disk, epoch });
  }
  return known;
}

/**
 * Throws unless the file holds what the change left as the newest point; `said`: what QEMU said meanwhile. Where it is there, with another
 * one above, somebody else began at the same time, and has the disk.
 */
export async function requireStored(outcome: DiskOutcome, said: string, signal?: AbortSignal): Promise<void> {
  const { disk, changeId } = outcome;
  const { pits, problems, state } = await readPoints(disk, signal);
  const newest = pits.at(-1);
  if (changeId === undefined ? state === 'untracked' : newest?.changeId === changeId && newest.recording)
    return;
  if (newest !== undefined && pits.some((one) => one.changeId === changeId))
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `another point in time, ${newest.pit}, was taken on ${disk} at the same time`,
      { disk, reason: 'BUSY' },
    );
  const found = newest === undefined ? 'no point in time' : `${newest.changeId} as the newest`;
  const wanted = changeId ?? 'none';
  const quote = said === '' ? '' : ` (QEMU said: ${said})`;
  throw trackingLost(
    problems[0]?.reason ?? 'MISSING',
    `QEMU ended cleanly, but the image holds ${found} instead of ${wanted}${quote}`,
    { disk },
  );
}

/**
 * Takes a point in time off images that nobody was told of it, whatever was wrong with them; gives those where that failed too.
 * It is forgotten where somebody who began meanwhile has taken one after it: what that one compares with it is refused then, while
 * an answer from a point of which there is no backup could not be used.
 * The files decide whether it stays. Who has an image for a moment, as whoever begins at the same time, is waited for.
 */
export async function undoPoint(paths: readonly string[], pit: string): Promise<PointLeft[]> {
  const left: PointLeft[] = [];
  const until = Date.now() + BUSY_MS;
  for (const path of paths) {
    for (;;) {
      const stays = await undoOn(path, pit);
      if (stays.length === 0) break;
      if (!stays.every(({ why }) => isBusy(why)) || Date.now() >= until) {
        left.push(...stays);
        break;
      }
      await delay(PAUSE_MS);
    }
  }
  return left;
}

/** For all of them together. */
const BUSY_MS = 10_000;
const PAUSE_MS = 100;

async function undoOn(path: string, pit: string): Promise<PointLeft[]> {
  try {
    const { state, pits } = await readPoints(path);
    const buried = state === 'recording' && pits.slice(0, -1).some((one) => one.pit === pit);
    if (!buried && !(await mayBeNewest(path, pit))) return [];
    return pointLeftAfter(
      (await changeImage(path, (target) => (buried ? undo : rollback)(target, { pit }))).disks,
    );
  } catch (why) {
    return [{ disk: path, why }];
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof CbtError && error.reason === 'BUSY';
}

async function changeImage(
  path: string,
  change: (target: TrackingTarget) => Promise<TrackingOutcome>,
): Promise<TrackingOutcome> {
  // Want of room may be why it is undone; opened for writing without, the image would lose everything.
  await requireRoomForBitmaps([path], { keeps: () => true, adds: 1 });
  const images = [{ path, nodeName: 'image0' }];
  return withStorageDaemon({ images }, (client) =>
    change(new QmpTrackingTarget({ client, nodes: ['image0'], label: () => path })),
  );
}
