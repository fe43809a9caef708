/**
 * Carrying out a change that takes a point in time. Where it fails after all, or nobody can say whether it happened, the point
 * is rolled back: it would be the base of the next increment, and nobody has a backup of it.
 */

import type { TrackedState } from './beginPlan.js';
import { planRollback } from './chainPlan.js';
import type { DiskState } from './diskSource.js';
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
    // Its own failure adds nothing to the first one; whoever begins next finds the point, and says so.
    await undo(target, pit, had).catch(() => undefined);
    throw error;
  }
}

async function undo(target: TrackingTarget, pit: string, except: readonly string[]): Promise<void> {
  const now = await target.disks();
  for (const tracked of now) {
    if ('error' in tracked || except.includes(tracked.disk) || !hasPoint(tracked.state, pit)) continue;
    // Each by itself: one that cannot be rolled back leaves no other one with its point.
    const { disk, state } = tracked;
    await (async () => target.apply([{ disk, actions: planRollback(state, pit).actions }]))().catch(
      () => undefined,
    );
  }
}

function hasPoint({ layers }: DiskState, pit: string): boolean {
  return layers[0]?.bitmaps.some(({ name }) => parseSegmentName(name)?.pit === pit) === true;
}
