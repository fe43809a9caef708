/**
 * Tracking over several disks at one instant: plans every disk first, and only when all plans stand lets the backend
 * carry them out in one transaction. The same code serves a running VM and images that no VM uses. What all disks refused is
 * an outcome here, so that an end that is under way goes on; callers of the library get it thrown (`outcome.ts`).
 */
import {
  type BeginOutcome,
  type BeginRequest,
  type DiskOutcome,
  type DrawUuid,
  planBegins,
  recordOf,
  refusedDisk,
  requireNewPit,
  statesOf,
} from './beginPlan.js';
import { currentChain, readCatalogue } from './chain.js';
import { type PitPlan, planDisable, planEnable, planForget, planReset, planRollback } from './chainPlan.js';
import type { DiskState } from './diskSource.js';
import { CbtError, invalidArgument } from './errors.js';
import type { PointId } from './ids.js';
import { describePoint, fitsSegment, type Point } from './point.js';
import { requireUuid } from './pointInTime.js';
import { checkGranularity } from './rangePage.js';
import { takePoint } from './takePoint.js';
import type { TrackingTarget } from './trackingTarget.js';

export type {
  BeginOutcome,
  DiskDone,
  DiskFailed,
  DiskOutcome,
  DrawUuid,
  FullDisk,
  IncrementalDisk,
  RefusedDisk,
  TrackedState,
  UntoldDisk,
} from './beginPlan.js';

/** What became of a change to points in time, disk by disk. A disk with an `error` is as it was before, unless `trackingEnded`. */
export interface TrackingOutcome {
  /** The point in time that was taken, or acted upon; null when nothing was done. */
  pit: PointId | null;
  /** Every disk that was asked for, each with what became of it. */
  disks: DiskOutcome[];
  /** Some disks have an error. Where all have, the call throws, with `disks`. */
  partial?: true;
  /** What the caller should know although it is done. */
  warnings?: readonly string[];
}

/** The plan for a disk, and the point in time it takes or acts upon. */
type Planner = (state: DiskState) => { pit: string | null; plan: PitPlan };

export interface StartOptions {
  /** UUID of the first point in time, the same on every disk. */
  pit: PointId;
  /** Draws an epoch for each disk. */
  drawUuid: DrawUuid;
  /** Bytes per bit; QEMU's choice unless given. */
  granularityBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Start tracking on every disk, each in an epoch of its own. Refused as a whole when one disk refuses. */
export async function enable(target: TrackingTarget, options: StartOptions): Promise<TrackingOutcome> {
  return start(target, options, planEnable);
}

/** Start anew on every disk, whatever state it is in; what was known before is gone. */
export async function reset(target: TrackingTarget, options: StartOptions): Promise<TrackingOutcome> {
  return start(target, options, planReset);
}

async function start(
  target: TrackingTarget,
  { pit: given, drawUuid, granularityBytes: asked, signal }: StartOptions,
  plan: (state: DiskState, pit: string, epoch: string, granularityBytes: number | null) => PitPlan,
): Promise<TrackingOutcome> {
  const pit = requireUuid('pit', given);
  const granularityBytes = asked ?? null;
  if (granularityBytes !== null) checkGranularity('granularityBytes', granularityBytes);
  return run(target, signal, { who: 'all', takes: pit }, (state) => ({
    pit,
    plan: plan(state, pit, drawUuid(), granularityBytes),
  }));
}

/** End tracking on every disk. */
export async function disable(
  target: TrackingTarget,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<TrackingOutcome> {
  return run(target, options.signal, { who: 'all' }, (state) => ({ pit: null, plan: planDisable(state) }));
}

/**
 * Forget a point in time on every disk that is asked for; all other points answer as before. Refused as a whole when one
 * disk refuses.
 */
export async function forget(
  target: TrackingTarget,
  options: { point: Point; signal?: AbortSignal | undefined },
): Promise<TrackingOutcome> {
  return run(target, options.signal, { who: 'all' }, (state) => {
    const pit = pitOf(state, options.point);
    return { pit, plan: planForget(state, pit) };
  });
}

/** Takes a point that nobody has a backup of off each disk: rolled back where it is the newest, and forgotten where it is not. */
export async function undo(
  target: TrackingTarget,
  options: { pit: string; signal?: AbortSignal | undefined },
): Promise<TrackingOutcome> {
  const pit = requireUuid('pit', options.pit);
  return run(target, options.signal, { who: 'each' }, (state) => {
    const newest = currentChain(readCatalogue(state))?.segments.at(-1)?.pit;
    return { pit, plan: newest === pit ? planRollback(state, pit) : planForget(state, pit) };
  });
}

/** Roll back the newest point in time on every disk that has it as its newest; each other disk says why not. */
export async function rollback(
  target: TrackingTarget,
  options: { pit: string; signal?: AbortSignal | undefined },
): Promise<TrackingOutcome> {
  const pit = requireUuid('pit', options.pit);
  return run(target, options.signal, { who: 'each' }, (state) => ({ pit, plan: planRollback(state, pit) }));
}

/**
 * Take a point in time on every disk, and say per disk whether an incremental backup from `base` is possible. A disk
 * whose chain is lost starts a new epoch in the same step, with the verdict `full` and the reason, and so do copies of one
 * disk; one bad disk does not spoil the others.
 */
export async function begin(
  target: TrackingTarget,
  options: BeginRequest & { signal?: AbortSignal | undefined },
): Promise<{ pit: string; disks: BeginOutcome[]; warnings?: readonly string[] }> {
  const pit = requireUuid('pit', options.pit);
  const before = await target.disks(options.signal);
  const begun = planBegins(before, target.others?.() ?? [], { ...options, pit });
  const changes = begun.flatMap((one) =>
    'plan' in one ? [{ disk: one.disk, actions: one.plan.actions }] : [],
  );
  await takePoint(target, changes, { pit, before }, options.signal);
  return { pit, disks: begun.map((one) => ('plan' in one ? one.outcome : refusedDisk(one))) };
}

/** The PIT of one of the points of the disk's own history. */
function pitOf(state: DiskState, point: Point): string {
  if (point.kind === 'allocated') throw invalidArgument('point', '*', 'a point in time');
  const found = currentChain(readCatalogue(state))?.segments.find((segment) =>
    fitsSegment(point, segment, segment.info.name),
  );
  if (found !== undefined) return found.pit;
  const message = `${describePoint(point)} is no point in time of this disk`;
  throw new CbtError('ERR_CBT_UNKNOWN_PIT', message, { disk: state.disk, reason: 'UNKNOWN_PIT' });
}

/**
 * Plans every disk, then changes in one transaction `each` disk that has a plan, or none unless `all` have one. A disk
 * with nothing to change takes no part in the transaction.
 */
async function run(
  target: TrackingTarget,
  signal: AbortSignal | undefined,
  { who, takes }: { who: 'all' | 'each'; takes?: string },
  planner: Planner,
): Promise<TrackingOutcome> {
  const before = await target.disks(signal);
  if (takes !== undefined) requireNewPit(takes, statesOf(before), target.others?.() ?? []);
  const planned = before.map((tracked) => {
    if ('error' in tracked) return tracked;
    try {
      return { disk: tracked.disk, ...planner(tracked.state) };
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      return { disk: tracked.disk, error: error.about(tracked.disk) };
    }
  });
  const ready = planned.flatMap((p) => ('plan' in p ? [p] : []));
  if (who === 'all' && ready.length < planned.length) return { pit: null, disks: refuseAll(planned) };
  const changes = ready.flatMap(({ disk, plan: { actions } }) =>
    actions.length === 0 ? [] : [{ disk, actions }],
  );
  if (takes !== undefined) await takePoint(target, changes, { pit: takes, before }, signal);
  else if (changes.length > 0) await target.apply(changes, signal);
  return {
    pit: ready[0]?.pit ?? null,
    disks: planned.map((p): DiskOutcome => {
      if (!('plan' in p)) return p;
      const { disk, plan } = p;
      const { lost } = plan;
      return lost ? { disk, error: lost.about(disk), trackingEnded: true } : { disk, ...recordOf(plan) };
    }),
  };
}

/** Disks that refused keep their error; the others say that nothing was done, and whose fault that is. */
function refuseAll(
  planned: readonly ({ disk: string } | { disk: string; error: CbtError })[],
): DiskOutcome[] {
  const names = planned.flatMap((p) => ('error' in p ? [p.disk] : [])).join(', ');
  return planned.map((p) => {
    if ('error' in p) return p;
    const { disk } = p;
    return { disk, error: new CbtError('ERR_CBT_NOT_DONE', `nothing was done: ${names} refused`, { disk }) };
  });
}
