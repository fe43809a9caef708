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

export interface TrackingOutcome {
  /** The point in time that was taken, or acted upon; null when nothing was done. */
  pit: string | null;
  disks: DiskOutcome[];
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

type Planner = (state: DiskState) => PitPlan;

/** Start tracking on every disk, each in an epoch of its own. Refused as a whole when one disk refuses. */
export async function enable(
  target: TrackingTarget,
  options: {
    pit: string;
    drawUuid: DrawUuid;
    granularityBytes?: number | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<TrackingOutcome> {
  const { granularityBytes = null } = options;
  return run(target, options.pit, options.signal, (s) =>
    planEnable(s, options.pit, options.drawUuid(), granularityBytes),
  );
}

/** Start anew on every disk, whatever state it is in; what was known before is gone. */
export async function reset(
  target: TrackingTarget,
  options: {
    pit: string;
    drawUuid: DrawUuid;
    granularityBytes?: number | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<TrackingOutcome> {
  const { granularityBytes = null } = options;
  return run(target, options.pit, options.signal, (s) =>
    planReset(s, options.pit, options.drawUuid(), granularityBytes),
  );
}

/** End tracking on every disk. */
export async function disable(
  target: TrackingTarget,
  options: { signal?: AbortSignal } = {},
): Promise<TrackingOutcome> {
  return run(target, null, options.signal, planDisable);
}

/** Forget a point in time on every disk that is asked for; all other points answer as before. */
export async function forget(
  target: TrackingTarget,
  options: { point: Point; signal?: AbortSignal },
): Promise<TrackingOutcome> {
  return run(target, null, options.signal, (state) => planForget(state, pitOf(state, options.point)));
}

/** Roll back the newest point in time on every disk that has it. */
export async function rollback(
  target: TrackingTarget,
  options: { pit: string; signal?: AbortSignal },
): Promise<TrackingOutcome> {
  return run(target, options.pit, options.signal, (state) => planRollback(state, options.pit));
}

/**
 * Take a point in time on every disk, and say per disk whether an incremental backup from `base` is possible. A disk
 * whose chain is lost starts a new epoch in the same step, with the verdict `full` and the reason; one bad disk does
 * not spoil the others.
 */
export async function begin(
  target: TrackingTarget,
  options: { pit: string; base?: Point | undefined; drawUuid: DrawUuid; signal?: AbortSignal | undefined },
): Promise<{ pit: string; disks: BeginOutcome[] }> {
  const begun = (await target.disks(options.signal)).map((tracked) => {
    if ('error' in tracked) return { outcome: { disk: tracked.disk, error: tracked.error }, change: null };
    try {
      const { plan, outcome } = planBegin(tracked.state, options.pit, options.base, options.drawUuid);
      return { outcome, change: { disk: tracked.disk, actions: plan.actions } };
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      return { outcome: { disk: tracked.disk, error: error.about(tracked.disk) }, change: null };
    }
  });
  const changes = begun.flatMap(({ change }) => (change === null ? [] : [change]));
  if (changes.length > 0) await target.apply(changes, options.signal);
  return { pit: options.pit, disks: begun.map(({ outcome }) => outcome) };
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

async function run(
  target: TrackingTarget,
  pit: string | null,
  signal: AbortSignal | undefined,
  plan: Planner,
): Promise<TrackingOutcome> {
  const planned = (await target.disks(signal)).map((tracked) => {
    if ('error' in tracked) return tracked;
    try {
      return { disk: tracked.disk, plan: plan(tracked.state) };
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      return { disk: tracked.disk, error: error.about(tracked.disk) };
    }
  });
  const failed = planned.filter((p) => 'error' in p);
  if (failed.length > 0) {
    const names = failed.map(({ disk }) => disk).join(', ');
    const outcome = (p: (typeof planned)[number]): DiskOutcome =>
      'error' in p
        ? p
        : {
            disk: p.disk,
            error: new CbtError('ERR_CBT_ABORTED', `nothing was done: ${names} refused`, { disk: p.disk }),
          };
    return { pit: null, disks: planned.map(outcome) };
  }
  const ready = planned.flatMap((p) => ('plan' in p ? [p] : []));
  await target.apply(
    ready.map(({ disk, plan: { actions } }) => ({ disk, actions })),
    signal,
  );
  return { pit, disks: ready.map(({ disk, plan: done }) => ({ disk, ...recordOf(done) })) };
}

function recordOf({ recording }: PitPlan): Pick<DiskOutcome, 'epoch' | 'changeId'> {
  if (recording === null) return {};
  const { epoch, sequence } = recording;
  return { epoch, changeId: formatChangeId({ epoch, sequence }) };
}
