/**
 * Carrying out a change that takes a point in time. Where it fails after all, or nobody can say whether it happened, the point
 * is rolled back: it would be the base of the next increment, and nobody has a backup of it. Where that fails too, the error says so.
 */

import type { TrackedState } from './beginPlan.js';
import { planRollback } from './chainPlan.js';
import type { DiskState } from './diskSource.js';
import { type PointLeft, withPointLeft } from './pointLeft.js';
import { parseSegmentName } from './segmentName.js';
import type { DiskChange, TrackingTarget } from './trackingTarget.js';

/** `before`: the disks as the change was planned on. A disk that had the point then keeps it. */
export async function takePoint(
  target: TrackingTarget,
  changes: readonly DiskChange[],
  { pit, before }: { pit: string; before: readonly TrackedState[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  if (changes.length === 0) return;
  try {
    await target.apply(changes, signal);
  } catch (error) {
    const had = before.flatMap((d) => ('state' in d && hasPoint(d.state, pit) ? [d.disk] : []));
    const got = changes.map(({ disk }) => disk).filter((disk) => !had.includes(disk));
    throw withPointLeft(error, pit, await undo(target, pit, got));
  }
}

/** Where it may stay. */
async function undo(target: TrackingTarget, pit: string, disks: readonly string[]): Promise<PointLeft[]> {
  let now: readonly TrackedState[];
  try {
    now = await target.disks();
  } catch (why) {
    return disks.map((disk) => ({ disk, why }));
  }
  const left: PointLeft[] = [];
  // Each by itself: one that cannot be rolled back leaves no other one with its point.
  for (const disk of disks) {
    try {
      const found = now.find((one) => one.disk === disk) ?? { error: 'the disk is there no more' };
      if ('error' in found) throw found.error;
      if (hasPoint(found.state, pit))
        await target.apply([{ disk, actions: planRollback(found.state, pit).actions }]);
    } catch (why) {
      left.push({ disk, why });
    }
  }
  return left;
}

function hasPoint({ layers }: DiskState, pit: string): boolean {
  return layers[0]?.bitmaps.some(({ name }) => parseSegmentName(name)?.pit === pit) === true;
}
