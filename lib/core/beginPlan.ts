/**
 * What a new backup session means for each disk, and does to its bitmaps. Pure. Disks are looked at together, because two
 * of them can be copies of one: then neither history may go on under its epoch.
 */
import { currentChain, readCatalogue } from './chain.js';
import { findPit, type PitPlan, planPit, planReset } from './chainPlan.js';
import { formatChangeId } from './changeId.js';
import { planChanges } from './changeQuery.js';
import type { DiskState } from './diskSource.js';
import { CbtError, type CbtReason, type DiskFailure, losesChain, trackingLost } from './errors.js';
import type { ChangeId, DiskName, Epoch, PointId, PointName } from './ids.js';
import type { Point } from './point.js';

export type TrackedState = { disk: DiskName; state: DiskState } | { disk: DiskName; error: CbtError };

/** A disk to which it was done. */
export interface DiskDone {
  /** Its name. */
  disk: DiskName;
  /** Its history, and the point in time that records from here on; absent where it is not tracked any more. */
  epoch?: Epoch;
  /** Name of that point in the disk's history. */
  changeId?: ChangeId;
  /** None: it is done. */
  error?: undefined;
  /** None: it goes on. */
  trackingEnded?: undefined;
}

/** A disk to which nothing was done, and why. */
export interface DiskFailed extends DiskFailure {
  /** The point could only be taken off together with tracking, which has ended on this disk; `error` says why. */
  trackingEnded?: true;
  /** None: it failed. */
  epoch?: undefined;
  /** None: it failed. */
  changeId?: undefined;
}

/** What became of one disk: `error` tells the two apart. */
export type DiskOutcome = DiskDone | DiskFailed;

/** A disk that is part of a session. */
interface DiskBegun extends DiskDone {
  sizeBytes: number;
}

/** Only what changed since `base` has to be copied. */
export interface IncrementalDisk extends DiskBegun {
  /** Only what changed since `base` has to be copied. */
  verdict: 'incremental';
  /** The point in time that it starts from. */
  base: PointName;
  /** None: nothing was lost. */
  reason?: undefined;
  /** None: nothing was lost. */
  message?: undefined;
}

/** Everything has to be copied. */
export interface FullDisk extends DiskBegun {
  /** Everything has to be copied. */
  verdict: 'full';
  /** Why its older points cannot answer; absent where a full backup was asked for. */
  reason?: CbtReason;
  /** The same in words. */
  message: string;
  /** None: everything is copied. */
  base?: undefined;
}

/** Nobody recorded what has to be copied (a session taken up again, or only looked at): ask for the changes from the base that you have. */
export interface UntoldDisk extends DiskBegun {
  /** It was taken up again, and what a backup has to copy was told when it was begun. */
  verdict: 'unknown';
  /** None: nobody asked. */
  base?: undefined;
  /** None: nobody asked. */
  reason?: undefined;
  /** None: nobody asked. */
  message?: undefined;
}

/** A disk that takes no part. */
export interface RefusedDisk extends DiskFailed {
  /** It was not begun; `error` says why. */
  verdict: 'failed';
  /** None: it was not begun. */
  sizeBytes?: undefined;
  /** None: it was not begun. */
  base?: undefined;
  /** None: `error` has it. */
  reason?: undefined;
  /** None: `error` has it. */
  message?: undefined;
}

/** What a new backup session means for one disk: `verdict` tells them apart. */
export type BeginOutcome = IncrementalDisk | FullDisk | UntoldDisk | RefusedDisk;

/** A disk that takes no part, with its reason. */
export function refusedDisk({ disk, error }: DiskFailure): RefusedDisk {
  return { disk, verdict: 'failed', error };
}

/** Draws UUIDs; the core has no source of randomness of its own. */
export type DrawUuid = () => string;

export interface BeginRequest {
  /** UUID of the new point in time. */
  pit: PointId;
  /** The point an incremental starts from; each disk's newest unless given. */
  base?: Point | undefined;
  /** All disks of the step with their histories, where some of them are begun by themselves. */
  together?: readonly { disk: string; epoch: string }[] | undefined;
  /** Points in time of sessions that were never ended: nobody has a backup of them, and none starts from one unless `base` says so. */
  uncommitted?: ReadonlySet<string> | undefined;
  drawUuid: DrawUuid;
}

/** What is to be done to one disk, or why nothing is. */
export type BeginPlan =
  | { disk: string; plan: PitPlan; outcome: IncrementalDisk | FullDisk }
  | { disk: string; error: CbtError };

/**
 * The plan and the verdict of every disk. Throws only for a PIT that one of them, or one of the `others` of the same VM,
 * has already.
 */
export function planBegins(
  tracked: readonly TrackedState[],
  others: readonly DiskState[],
  request: BeginRequest,
): BeginPlan[] {
  const states = statesOf(tracked);
  requireNewPit(request.pit, states, others);
  const clones = findClones(states, request.together);
  return tracked.map((one): BeginPlan => {
    const { disk } = one;
    if ('error' in one) return one;
    try {
      const { plan, outcome } = planBegin(one.state, request, clones.get(disk));
      return { disk, plan, outcome: { ...outcome, disk } };
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      return { disk, error: error.about(disk) };
    }
  });
}

/** The states of the disks that could be read. */
export function statesOf(tracked: readonly TrackedState[]): DiskState[] {
  return tracked.flatMap((one) => ('state' in one ? [{ ...one.state, disk: one.disk }] : []));
}

/** Throws where one of the disks has the PIT already: it names another instant there, and an instant has one UUID. */
export function requireNewPit(pit: string, ...disks: readonly (readonly DiskState[])[]): void {
  for (const state of disks.flat()) {
    const used = findPit(state, pit);
    if (used === null) continue;
    const message = `PIT ${pit} is on ${state.disk} already (${used}) and names an instant of it: give every new point in time a UUID of its own`;
    throw new CbtError('ERR_CBT_INVALID_ARGUMENT', message, { disk: state.disk });
  }
}

/** The disks that record one history with another of them: copies, each with the reason that ends that history on it. */
function findClones(
  states: readonly DiskState[],
  together: BeginRequest['together'] = [],
): Map<string, CbtError> {
  const byEpoch = new Map<string, Set<string>>();
  const met = states.map((state) => ({ disk: state.disk, epoch: epochOf(state) }));
  for (const { disk, epoch } of [...met, ...together])
    if (epoch !== null) byEpoch.set(epoch, (byEpoch.get(epoch) ?? new Set()).add(disk));
  const clones = new Map<string, CbtError>();
  for (const [epoch, disks] of byEpoch) {
    if (disks.size < 2) continue;
    for (const disk of disks) {
      const rest = [...disks].filter((other) => other !== disk).join(', ');
      const message = `epoch ${epoch} is recorded by ${rest} too: they are copies of one disk, and from here on each has a history of its own`;
      clones.set(disk, trackingLost('OTHER_EPOCH', message, { disk }));
    }
  }
  return clones;
}

/** Null where nothing is tracked, or the disk is refused anyway. */
function epochOf(state: DiskState): string | null {
  try {
    return currentChain(readCatalogue(state))?.epoch ?? null;
  } catch (error) {
    if (error instanceof CbtError) return null;
    throw error;
  }
}

/** The plan and the verdict for one disk; `lost`: why its history ends although its chain may be whole. */
export function planBegin(
  state: DiskState,
  { pit, base, uncommitted, drawUuid }: BeginRequest,
  lost: CbtError | null = null,
): { plan: PitPlan; outcome: IncrementalDisk | FullDisk } {
  const sizeBytes = state.sizeBytes;
  const next = planNext(state, pit, drawUuid, lost);
  const named = { disk: state.disk, sizeBytes, ...recordOf(next.plan) };
  if (next.lost !== null) return { plan: next.plan, outcome: { ...named, ...fullBecause(next.lost) } };
  if (base?.kind === 'allocated')
    return { plan: next.plan, outcome: { ...named, verdict: 'full', message: 'asked for' } };
  try {
    const start = base ?? newestPoint(state, uncommitted);
    if (start === null)
      return { plan: next.plan, outcome: { ...named, verdict: 'full', message: NONE_KEPT } };
    const from = planChanges(state, start, null).from;
    return { plan: next.plan, outcome: { ...named, verdict: 'incremental', base: from } };
  } catch (error) {
    if (!losesChain(error)) throw error;
    return { plan: next.plan, outcome: { ...named, ...fullBecause(error) } };
  }
}

function planNext(
  state: DiskState,
  pit: PointId,
  drawUuid: DrawUuid,
  given: CbtError | null,
): { plan: PitPlan; lost: CbtError | null } {
  if (given !== null) return { plan: planReset(state, pit, drawUuid()), lost: given };
  try {
    return { plan: planPit(state, pit), lost: null };
  } catch (error) {
    if (!losesChain(error)) throw error;
    return { plan: planReset(state, pit, drawUuid()), lost: error };
  }
}

/** What is told of the segment that records from here on. */
export function recordOf({ recording }: PitPlan): Pick<DiskDone, 'epoch' | 'changeId'> {
  return recording === null ? {} : { epoch: recording.epoch, changeId: formatChangeId(recording) };
}

function fullBecause(error: CbtError): Pick<FullDisk, 'verdict' | 'reason' | 'message'> {
  return {
    verdict: 'full',
    message: error.message,
    ...(error.reason === undefined ? {} : { reason: error.reason }),
  };
}

const NONE_KEPT = 'every point in time on it is of a session that was never ended';

/** Of those that somebody kept; null where there is none. */
function newestPoint(state: DiskState, uncommitted: BeginRequest['uncommitted']): Point | null {
  const segments = currentChain(readCatalogue(state))?.segments;
  if (segments === undefined) throw new CbtError('ERR_CBT_INTERNAL', `no newest point on ${state.disk}`);
  const last = segments.findLast(({ pit }) => uncommitted?.has(pit) !== true);
  if (last === undefined) return null;
  return { kind: 'instant', epoch: last.epoch, sequence: last.first, pit: last.pit };
}
