/**
 * Tracking over several disks at one instant: plans every disk first, and only when all plans stand lets the backend
 * carry them out in one transaction. The same code serves a running VM and images that no VM uses.
 */
import { currentChain, readCatalogue } from './chain.js';
import {
  type BitmapAction,
  type PitPlan,
  planDisable,
  planEnable,
  planForget,
  planPit,
  planReset,
  planRollback,
} from './chainPlan.js';
import { formatChangeId } from './changeId.js';
import { planChanges } from './changeQuery.js';
import type { DiskState } from './diskSource.js';
import { CbtError, type CbtReason, invalidArgument } from './errors.js';
import type { Point } from './point.js';
import { requireUuid } from './pointInTime.js';
import { checkGranularity } from './rangePage.js';
import { takePoint } from './takePoint.js';

/** Where bitmaps can be changed: one QEMU process, with the disks that are asked for. */
export interface TrackingTarget {
  /** The disks, each with its state now; a disk that cannot be read comes with its error. */
  disks(signal?: AbortSignal): Promise<TrackedState[]>;
  /** Carries out the actions of all disks in one transaction, in order; all or nothing. */
  apply(changes: readonly DiskChange[], signal?: AbortSignal): Promise<void>;
}

export type TrackedState = { disk: string; state: DiskState } | { disk: string; error: CbtError };

export interface DiskChange {
  disk: string;
  actions: readonly BitmapAction[];
}

/** What became of one disk; `error` says why nothing was done to it. */
export interface DiskOutcome {
  disk: string;
  epoch?: string;
  changeId?: string;
  error?: CbtError;
}

/** What became of a change to points in time, disk by disk. A disk with an `error` is as it was before. */
export interface TrackingOutcome {
  /** The point in time that was taken, or acted upon; null when nothing was done. */
  pit: string | null;
  disks: DiskOutcome[];
  /** What the caller should know although it is done. */
  warnings?: readonly string[];
}

/** What a new backup session means for one disk. */
export interface BeginOutcome extends DiskOutcome {
  sizeBytes?: number;
  verdict?: 'incremental' | 'full';
  /** Why a full backup; absent for an incremental one. */
  reason?: CbtReason;
  /** In words, beside `reason`. */
  message?: string;
  /** The point in time that an incremental starts from. */
  base?: string;
}

/** Draws UUIDs; the core has no source of randomness of its own. */
export type DrawUuid = () => string;

/** The plan for a disk, and the point in time it takes or acts upon. */
type Planner = (state: DiskState) => { pit: string | null; plan: PitPlan };

export interface StartOptions {
  /** UUID of the first point in time, the same on every disk. */
  pit: string;
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
 * whose chain is lost starts a new epoch in the same step, with the verdict `full` and the reason; one bad disk does
 * not spoil the others.
 */
export async function begin(
  target: TrackingTarget,
  options: { pit: string; base?: Point | undefined; drawUuid: DrawUuid; signal?: AbortSignal | undefined },
): Promise<{ pit: string; disks: BeginOutcome[]; warnings?: readonly string[] }> {
  const pit = requireUuid('pit', options.pit);
  const before = await target.disks(options.signal);
  const begun = before.map((tracked) => {
    if ('error' in tracked) return { outcome: { disk: tracked.disk, error: tracked.error }, change: null };
    try {
      const { plan, outcome } = planBegin(tracked.state, pit, options.base, options.drawUuid);
      return {
        outcome: { ...outcome, disk: tracked.disk },
        change: { disk: tracked.disk, actions: plan.actions },
      };
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      return { outcome: { disk: tracked.disk, error: error.about(tracked.disk) }, change: null };
    }
  });
  const changes = begun.flatMap(({ change }) => (change === null ? [] : [change]));
  await takePoint(target, changes, { pit, before }, options.signal);
  return { pit, disks: begun.map(({ outcome }) => outcome) };
}

/** The plan and the verdict of {@link begin} for one disk. */
export function planBegin(
  state: DiskState,
  pit: string,
  base: Point | undefined,
  drawUuid: DrawUuid,
): { plan: PitPlan; outcome: BeginOutcome } {
  const sizeBytes = state.sizeBytes;
  const next = planNext(state, pit, drawUuid);
  const named = { disk: state.disk, sizeBytes, ...recordOf(next.plan) };
  if (next.lost !== null) return { plan: next.plan, outcome: { ...named, ...fullBecause(next.lost) } };
  if (base?.kind === 'allocated') return { plan: next.plan, outcome: { ...named, verdict: 'full' } };
  try {
    const from = planChanges(state, base ?? newestPoint(state), null).from;
    return { plan: next.plan, outcome: { ...named, verdict: 'incremental', base: from } };
  } catch (error) {
    if (!(error instanceof CbtError) || !error.fullBackupNeeded) throw error;
    return { plan: next.plan, outcome: { ...named, ...fullBecause(error) } };
  }
}

function planNext(
  state: DiskState,
  pit: string,
  drawUuid: DrawUuid,
): { plan: PitPlan; lost: CbtError | null } {
  try {
    return { plan: planPit(state, pit), lost: null };
  } catch (error) {
    if (!(error instanceof CbtError) || !error.fullBackupNeeded) throw error;
    return { plan: planReset(state, pit, drawUuid()), lost: error };
  }
}

function fullBecause(error: CbtError): Pick<BeginOutcome, 'verdict' | 'reason' | 'message'> {
  return {
    verdict: 'full',
    message: error.message,
    ...(error.reason === undefined ? {} : { reason: error.reason }),
  };
}

function newestPoint(state: DiskState): Point {
  const chain = currentChain(readCatalogue(state));
  const pit = chain?.segments.at(-1)?.pit;
  if (pit === undefined) throw new CbtError('ERR_CBT_INTERNAL', `no newest point on ${state.disk}`);
  return { kind: 'pit', uuid: pit };
}

/** The PIT UUID of one of our points on this disk. */
function pitOf(state: DiskState, point: Point): string {
  if (point.kind === 'allocated') throw invalidArgument('point', '*', 'a point in time');
  if (point.kind === 'pit') return point.uuid;
  for (const chain of readCatalogue(state).chains) {
    for (const segment of chain.segments) {
      const named = point.kind === 'name' && segment.info.name === point.name;
      const numbered =
        point.kind === 'changeId' && segment.epoch === point.epoch && segment.first === point.sequence;
      if (named || numbered) return segment.pit;
    }
  }
  throw new CbtError('ERR_CBT_UNKNOWN_PIT', 'no point in time of ours answers to that name on this disk', {
    disk: state.disk,
    reason: 'UNKNOWN_PIT',
  });
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
    disks: planned.map((p) => {
      if (!('plan' in p)) return p;
      const { disk, plan } = p;
      return { disk, ...recordOf(plan), ...(plan.lost !== undefined && { error: plan.lost.about(disk) }) };
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
    return { disk, error: new CbtError('ERR_CBT_ABORTED', `nothing was done: ${names} refused`, { disk }) };
  });
}

function recordOf({ recording }: PitPlan): Pick<DiskOutcome, 'epoch' | 'changeId'> {
  if (recording === null) return {};
  const { epoch, sequence } = recording;
  return { epoch, changeId: formatChangeId({ epoch, sequence }) };
}
