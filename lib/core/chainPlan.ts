/**
 * What each tracking operation does to the bitmaps of one disk, as actions for one transaction. Pure: the backend puts
 * the plans of all disks of a VM into a single QMP `transaction`, in this order.
 *
 * Two rules shape every plan. A new segment is added before the old one is disabled: a write in between lands in both,
 * which is safe; the other order could lose it. A removal edits the image file at once, even if its transaction then
 * aborts: it comes last, when all that it drops has been merged elsewhere.
 */
import {
  type Chain,
  currentChain,
  describeSegment,
  findChainProblem,
  layerOf,
  newest,
  readCatalogue,
  refusedBecause,
  type Segment,
} from './chain.js';
import type { DiskState } from './diskSource.js';
import { CbtError, trackingLost } from './errors.js';
import { type Instant, parseUuid } from './pointInTime.js';
import { formatSegmentName, MAX_SEQUENCE, parseSegmentName } from './segmentName.js';

/** One change to the bitmaps of a disk's top layer. */
export type BitmapAction =
  | { kind: 'add'; name: string; granularityBytes: number | null; disabled: boolean }
  | { kind: 'disable'; name: string }
  | { kind: 'merge'; target: string; sources: readonly string[] }
  | { kind: 'remove'; name: string };

export interface PitPlan {
  actions: readonly BitmapAction[];
  /** The segment that records from here on: its instant and its bitmap's name; null where tracking ends. */
  recording: (Instant & { name: string }) | null;
  /** Why tracking ends although that was not asked for. */
  lost?: CbtError;
}

/** Start tracking: segment 1 of a new epoch. The disk must have no segment of ours. */
export function planEnable(
  state: DiskState,
  pit: string,
  epoch: string,
  granularityBytes: number | null = null,
): PitPlan {
  const chain = currentChain(readCatalogue(state));
  if (chain !== null) {
    const since = describeSegment(chain.segments[0]);
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `already tracked in epoch ${chain.epoch}, from ${since} on: take a point in time, or reset to start anew`,
      { disk: state.disk },
    );
  }
  return startEpoch(state, pit, epoch, granularityBytes, []);
}

/** Reset: every segment of ours goes, whatever its state, and a new epoch starts in the same transaction. */
export function planReset(
  state: DiskState,
  pit: string,
  epoch: string,
  granularityBytes: number | null = null,
): PitPlan {
  const old = topSegments(state);
  refuseHeld(state, old);
  return startEpoch(state, pit, epoch, granularityBytes, old);
}

/**
 * End tracking: every segment of ours on the top layer goes. Refused where segments sit below an overlay, whose layers
 * cannot be written: they would stay although this said that they went.
 */
export function planDisable(state: DiskState): PitPlan {
  const below = readCatalogue(state).chains.find((chain) => chain.layer > 0);
  if (below !== undefined) {
    const where = layerOf(state, below.layer).label;
    const message = `points in time of epoch ${below.epoch} are on ${where}, below an overlay, and cannot be removed there: commit the overlay first`;
    throw new CbtError('ERR_CBT_UNSUPPORTED', message, { disk: state.disk, reason: 'OVERLAY' });
  }
  const old = topSegments(state);
  refuseHeld(state, old);
  return { actions: old.map((s) => ({ kind: 'remove', name: s.info.name })), recording: null };
}

/** Take a point in time: segment n+1 starts, segment n ends. Throws the reason when the chain is not whole. */
export function planPit(state: DiskState, pit: string): PitPlan {
  const chain = requireWhole(state);
  const last = newest(chain);
  refuseUsedPit(state, pit);
  refuseHeld(state, [last]);
  const sequence = last.last + 1;
  if (sequence > MAX_SEQUENCE) {
    const what = `${describeSegment(last)} is the last one that can be numbered: only a new epoch can go on`;
    throw trackingLost('MISSING', what, { disk: state.disk });
  }
  const next = { epoch: chain.epoch, first: sequence, last: sequence, sizeBytes: state.sizeBytes, pit };
  const name = formatSegmentName(next);
  return {
    actions: [
      { kind: 'add', name, granularityBytes: last.info.granularityBytes, disabled: false },
      { kind: 'disable', name: last.info.name },
    ],
    recording: { epoch: chain.epoch, sequence, pit, name },
  };
}

/**
 * Roll back the newest point in time: its changes join those of the one before, which records again, as when it is
 * forgotten. The merged name keeps the sequence number taken, so that a changeId handed out for the rolled-back point
 * can never come to mean a later one. Where only the point tells that the disk shrank it can neither go nor stay: tracking
 * of the disk ends, and the next backup is a full one.
 */
export function planRollback(state: DiskState, pit: string): PitPlan {
  const chain = requireWhole(state);
  const last = newest(chain);
  if (last.pit !== pit) {
    const newestText = describeSegment(last);
    throw new CbtError(
      'ERR_CBT_UNKNOWN_PIT',
      `PIT ${pit} is not the newest of this disk (${newestText}): only that one rolls back`,
      {
        disk: state.disk,
        reason: 'UNKNOWN_PIT',
      },
    );
  }
  // The point in time that started tracking: without it, there is no tracking.
  if (chain.segments.length === 1) {
    refuseHeld(state, [last]);
    return { actions: [{ kind: 'remove', name: last.info.name }], recording: null };
  }
  const previous = chain.segments.at(-2);
  const lost = previous === undefined ? null : hiddenShrink(state, previous, last, undefined);
  // Kept, a point that nobody committed would be the base of the next increment: rather no base at all.
  return lost === null ? planForget(state, pit) : { ...planDisable(state), lost };
}

/**
 * Forget a point in time: its changes join those of the one before, so that every other point answers as before. The
 * oldest is just removed; the only one cannot be forgotten (that is `reset` or `disable`).
 */
export function planForget(state: DiskState, pit: string): PitPlan {
  const chain = requireWhole(state);
  const index = chain.segments.findIndex((segment) => segment.pit === pit);
  const segment = chain.segments[index];
  if (segment !== chain.segments.findLast((other) => other.pit === pit))
    throw trackingLost('MISSING', `PIT ${pit} is named by two segments`, { disk: state.disk });
  if (segment === undefined) {
    throw new CbtError('ERR_CBT_UNKNOWN_PIT', `PIT ${pit} is not on this disk`, {
      disk: state.disk,
      reason: 'UNKNOWN_PIT',
    });
  }
  const last = newest(chain);
  const stays = { epoch: chain.epoch, sequence: last.first, pit: last.pit, name: last.info.name };
  const previous = chain.segments[index - 1];
  if (previous === undefined) {
    if (segment === last) {
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `PIT ${pit} is the only one of this disk: reset or disable tracking instead`,
        {
          disk: state.disk,
        },
      );
    }
    refuseHeld(state, [segment]);
    return { actions: [{ kind: 'remove', name: segment.info.name }], recording: stays };
  }
  refuseHeld(state, [previous, segment]);
  const shrink = hiddenShrink(state, previous, segment, chain.segments[index + 1]);
  if (shrink !== null) throw shrink;
  const merged = formatSegmentName({
    epoch: chain.epoch,
    first: previous.first,
    last: segment.last,
    sizeBytes: previous.sizeBytes,
    pit: previous.pit,
  });
  const granularityBytes = Math.max(previous.info.granularityBytes, segment.info.granularityBytes);
  return {
    actions: [
      { kind: 'add', name: merged, granularityBytes, disabled: segment !== last },
      { kind: 'merge', target: merged, sources: [previous.info.name, segment.info.name] },
      { kind: 'remove', name: previous.info.name },
      { kind: 'remove', name: segment.info.name },
    ],
    recording:
      segment === last ? { ...stays, sequence: previous.first, pit: previous.pit, name: merged } : stays,
  };
}

/** The current chain, on the top layer, whole and recording; or the reason why it is not. */
export function requireWhole(state: DiskState): Chain {
  const catalogue = readCatalogue(state);
  const chain = currentChain(catalogue);
  if (chain === null) {
    throw trackingLost('NOT_RECORDING', 'this disk is not tracked: enable tracking first', {
      disk: state.disk,
    });
  }
  const problem = findChainProblem(state, catalogue, chain);
  if (problem !== null) throw refusedBecause(state, problem);
  return chain;
}

function startEpoch(
  state: DiskState,
  pit: string,
  epoch: string,
  granularityBytes: number | null,
  old: readonly Segment[],
): PitPlan {
  refuseUsedPit(state, pit);
  const name = formatSegmentName({ epoch, first: 1, last: 1, sizeBytes: state.sizeBytes, pit });
  return {
    actions: [
      { kind: 'add', name, granularityBytes, disabled: false },
      ...old.map((segment): BitmapAction => ({ kind: 'remove', name: segment.info.name })),
    ],
    recording: { epoch, sequence: 1, pit, name },
  };
}

function topSegments(state: DiskState): Segment[] {
  return readCatalogue(state)
    .chains.filter((chain) => chain.layer === 0)
    .flatMap((chain) => chain.segments);
}

/** A bitmap that an export or a job holds cannot be changed, and would fail the transaction of every disk in it. */
function refuseHeld(state: DiskState, segments: readonly Segment[]): void {
  const held = segments.find((segment) => segment.info.busy);
  if (held === undefined) return;
  const message = `${describeSegment(held)} is held by an export or a job: end that first`;
  throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk: state.disk, reason: 'BUSY' });
}

/** A PIT that a bitmap of the disk has already names another instant: asked for later, it must not come to mean the new one. */
function refuseUsedPit(state: DiskState, pit: string): void {
  const used = findPit(state, pit);
  if (used === null) return;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `PIT ${pit} is on this disk already (${used})`, {
    disk: state.disk,
  });
}

/** What names this PIT on the disk, on any layer and in any epoch; null where nothing does. */
export function findPit({ layers }: DiskState, pit: string): string | null {
  for (const { name } of layers.flatMap(({ bitmaps }) => bitmaps)) {
    const segment = parseSegmentName(name);
    if (segment?.pit === pit) return describeSegment(segment);
    if (parseUuid(name) === pit) return `bitmap ${JSON.stringify(name)}, which is not ours`;
  }
  return null;
}

/**
 * A size that only `gone`'s name records, smaller than those around it, tells of dropped bits: it must not vanish. The
 * newest has no later neighbour yet, and the disk may grow at any time: there the one before it decides alone.
 */
function hiddenShrink(
  state: DiskState,
  previous: Segment,
  gone: Segment,
  next: Segment | undefined,
): CbtError | null {
  if (gone.sizeBytes >= Math.min(previous.sizeBytes, next?.sizeBytes ?? previous.sizeBytes)) return null;
  return trackingLost(
    'SIZE',
    `only ${describeSegment(gone)} tells that the disk shrank, from ${previous.sizeBytes} to ${gone.sizeBytes} bytes: it cannot be dropped`,
    { disk: state.disk },
  );
}
