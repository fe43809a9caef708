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
  type SegmentPart,
} from './chain.js';
import type { BitmapInfo, BitmapRef, DiskState } from './diskSource.js';
import { CbtError, trackingLost } from './errors.js';
import { bottomOf } from './layeredChain.js';
import { type Instant, parseUuid } from './pointInTime.js';
import { formatSegmentName, MAX_SEQUENCE, parseSegmentName } from './segmentName.js';

/** One change to the bitmaps of a disk's top layer; a merge may read those of layers `below` too. */
export type BitmapAction =
  | { kind: 'add'; name: string; granularityBytes: number | null; disabled: boolean }
  | { kind: 'disable'; name: string }
  | { kind: 'merge'; target: string; sources: readonly string[]; below?: readonly BitmapRef[] }
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
  const old = topBitmaps(state);
  refuseHeld(state, old);
  return startEpoch(state, pit, epoch, granularityBytes, old);
}

/**
 * End tracking: every segment of ours on the top layer goes. Refused where segments sit below an overlay, whose layers
 * cannot be written: they would stay although this said that they went.
 */
export function planDisable(state: DiskState): PitPlan {
  const below = readCatalogue(state).chains.find((chain) => bottomOf(chain) > 0);
  if (below !== undefined) {
    const where = layerOf(state, bottomOf(below)).label;
    const message = `points in time of epoch ${below.epoch} are on ${where}, below an overlay, and cannot be removed there: commit the overlay first`;
    throw new CbtError('ERR_CBT_UNSUPPORTED', message, { disk: state.disk, reason: 'OVERLAY' });
  }
  const old = topBitmaps(state);
  refuseHeld(state, old);
  return { actions: removals(old), recording: null };
}

/** Take a point in time: segment n+1 starts, segment n ends. Throws the reason when the chain is not whole. */
export function planPit(state: DiskState, pit: string): PitPlan {
  const chain = requireWhole(state);
  const last = newest(chain);
  refuseUsedPit(state, pit);
  const sequence = last.last + 1;
  if (sequence > MAX_SEQUENCE) {
    const what = `${describeSegment(last)} is the last one that can be numbered: only a new epoch can go on`;
    throw trackingLost('MISSING', what, { disk: state.disk });
  }
  const next = { epoch: chain.epoch, first: sequence, last: sequence, sizeBytes: state.sizeBytes, pit };
  const name = formatSegmentName(next);
  const ends = chain.segments.filter(({ info, parts }) => info.recording && parts[0]?.layer === 0);
  refuseHeld(state, ends.flatMap(bitmapsOf));
  const ended = ends.map((segment) => endSegment(chain, segment));
  return {
    actions: [
      { kind: 'add', name, granularityBytes: last.info.granularityBytes, disabled: false },
      ...ended.flatMap(({ actions }) => actions),
      ...ended.flatMap(({ drops }) => removals(drops)),
    ],
    recording: { epoch: chain.epoch, sequence, pit, name },
  };
}

/**
 * What ends a segment, whole and on the top layer: what lower layers know of it is merged in, for whoever takes those away takes only
 * what records along. One that had gone on beside a later one ends where that begins.
 */
function endSegment(
  chain: Chain,
  segment: Segment,
): { actions: BitmapAction[]; drops: readonly BitmapInfo[] } {
  const next = chain.segments[chain.segments.indexOf(segment) + 1];
  const last = next === undefined ? segment.last : next.first - 1;
  const { name } = segment.info;
  const others = topOf(segment).filter((info) => info !== segment.info);
  if (last === segment.last) {
    const actions = mergeInto(name, others, segment.parts);
    return { actions: [...actions, { kind: 'disable', name }], drops: others };
  }
  const longer = formatSegmentName({ ...segment, last });
  const { granularityBytes } = segment.info;
  const add = { kind: 'add', name: longer, granularityBytes, disabled: true } as const;
  return { actions: [add, ...mergeInto(longer, topOf(segment), segment.parts)], drops: topOf(segment) };
}

/** What a new name on the top layer says is whole: what lower layers know of it is read, too. */
function mergeInto(
  target: string,
  sources: readonly BitmapInfo[],
  parts: readonly SegmentPart[],
): BitmapAction[] {
  const below = parts.filter(({ layer }) => layer > 0).map(({ layer, info }) => ({ layer, name: info.name }));
  if (sources.length === 0 && below.length === 0) return [];
  const names = sources.map(({ name }) => name);
  return [{ kind: 'merge', target, sources: names, ...(below.length > 0 && { below }) }];
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
    refuseHeld(state, topOf(last));
    const ended = { actions: removals(topOf(last)), recording: null };
    if (bottomOf(chain) === 0) return ended;
    const what = `${describeSegment(last)} goes on below an overlay, where it cannot be removed`;
    return { ...ended, lost: trackingLost('OVERLAY', what, { disk: state.disk }) };
  }
  const previous = chain.segments.at(-2);
  const lost = previous === undefined ? null : whyNotBack(state, previous, last);
  if (lost === null) return planForget(state, pit);
  // Kept, a point that nobody committed would be the base of the next increment: rather no base at all.
  const old = topBitmaps(state);
  refuseHeld(state, old);
  return { actions: removals(old), recording: null, lost };
}

/** Why the newest point can only go together with all others of the top layer; null where it can go alone. */
function whyNotBack(state: DiskState, previous: Segment, last: Segment): CbtError | null {
  if (previous.parts[0]?.layer === 0) return hiddenShrink(state, previous, last, undefined);
  const what = `${describeSegment(previous)}, which ${describeSegment(last)} would go back to, lies below an overlay`;
  return trackingLost('OVERLAY', what, { disk: state.disk });
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
    refuseBelow(state, segment.parts.at(-1));
    if (segment === last) {
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `PIT ${pit} is the only one of this disk: reset or disable tracking instead`,
        {
          disk: state.disk,
        },
      );
    }
    refuseHeld(state, topOf(segment));
    return { actions: removals(topOf(segment)), recording: stays };
  }
  refuseBelow(state, previous.parts[0]);
  const sources = [...topOf(previous), ...topOf(segment)];
  refuseHeld(state, sources);
  const next = chain.segments[index + 1];
  const shrink = hiddenShrink(state, previous, segment, next);
  if (shrink !== null) throw shrink;
  const merged = formatSegmentName({
    epoch: chain.epoch,
    first: previous.first,
    // One that records beside a later one stands for all up to that.
    last: next === undefined ? segment.last : next.first - 1,
    sizeBytes: previous.sizeBytes,
    pit: previous.pit,
  });
  const granularityBytes = Math.max(previous.info.granularityBytes, segment.info.granularityBytes);
  return {
    actions: [
      { kind: 'add', name: merged, granularityBytes, disabled: segment !== last },
      ...mergeInto(merged, sources, [...previous.parts, ...segment.parts]),
      ...removals(sources),
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
  old: readonly BitmapInfo[],
): PitPlan {
  refuseUsedPit(state, pit);
  const name = formatSegmentName({ epoch, first: 1, last: 1, sizeBytes: state.sizeBytes, pit });
  return {
    actions: [{ kind: 'add', name, granularityBytes, disabled: false }, ...removals(old)],
    recording: { epoch, sequence: 1, pit, name },
  };
}

function topBitmaps(state: DiskState): BitmapInfo[] {
  return readCatalogue(state).chains.flatMap(({ segments }) => segments.flatMap(topOf));
}

/** The bitmaps of a segment that can be changed: those on the top layer. */
function topOf({ parts }: Segment): BitmapInfo[] {
  return parts.filter(({ layer }) => layer === 0).map(({ info }) => info);
}

function bitmapsOf({ parts }: Segment): BitmapInfo[] {
  return parts.map(({ info }) => info);
}

function removals(bitmaps: readonly BitmapInfo[]): BitmapAction[] {
  return bitmaps.map(({ name }) => ({ kind: 'remove', name }));
}

/** Layers below the top are read-only. */
function refuseBelow(state: DiskState, part: SegmentPart | undefined): void {
  if (part === undefined || part.layer === 0) return;
  const where = layerOf(state, part.layer).label;
  const message = `bitmap ${part.info.name} is on ${where}, below an overlay, and cannot be changed there: commit the overlay first`;
  throw new CbtError('ERR_CBT_UNSUPPORTED', message, { disk: state.disk, reason: 'OVERLAY' });
}

/** A bitmap that an export or a job holds cannot be changed, and would fail the transaction of every disk in it. */
function refuseHeld(state: DiskState, bitmaps: readonly BitmapInfo[]): void {
  const held = bitmaps.find(({ busy }) => busy);
  if (held === undefined) return;
  const segment = parseSegmentName(held.name);
  const message = `${segment === null ? held.name : describeSegment(segment)} is held by an export or a job: end that first`;
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
