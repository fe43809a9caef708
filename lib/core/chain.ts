/**
 * The chain of a disk: its segments in order, read from bitmap names and flags alone.
 *
 *   seq     1         2         3
 *   tiles   [ 1     ) [ 2     ) [ 3 recording ...
 *           PIT a     PIT b     PIT c
 *
 * Order never comes from the order of the bitmaps in a file or a reply. This module finds chains and says what is wrong
 * with them; it never leaves a segment out to make one look whole.
 */
import type { BitmapInfo, DiskState, LayerState } from './diskSource.js';
import { CbtError, type Problem, trackingLost } from './errors.js';
import { type Chain, findHiddenPart, joinLayers, type Segment } from './layeredChain.js';
import { parseUuid } from './pointInTime.js';
import { describeSegment, isUnreadableSegmentName, parseSegmentName } from './segmentName.js';
import { checkSizes, findShrinkProblem } from './sizeHistory.js';

export type { Chain, Segment, SegmentPart } from './layeredChain.js';
export { describeSegment } from './segmentName.js';

/** A bitmap of somebody else; never changed by us. */
export interface ForeignBitmap {
  layer: number;
  info: BitmapInfo;
  /** The point in time its name spells, when the name is a UUID (Virtuozzo's and .hds's habit). */
  pit: string | null;
}

export interface Catalogue {
  /** Top layer first; on one layer the chain that records first. */
  chains: readonly Chain[];
  foreign: readonly ForeignBitmap[];
}

/** Sorts the bitmaps of all layers into chains and foreign bitmaps. */
export function readCatalogue(state: DiskState): Catalogue {
  checkSizes(state);
  const chains: Chain[] = [];
  const foreign: ForeignBitmap[] = [];
  state.layers.forEach((layer, index) => {
    const epochs = new Map<string, Segment[]>();
    for (const info of layer.bitmaps) {
      const parsed = parseSegmentName(info.name);
      if (parsed === null) {
        foreign.push({ layer: index, info, pit: parseUuid(info.name) });
        continue;
      }
      const segments = epochs.get(parsed.epoch) ?? [];
      segments.push({ ...parsed, info, parts: [{ layer: index, info }] });
      epochs.set(parsed.epoch, segments);
    }
    chains.push(
      ...[...epochs].flatMap(([epoch, segments]) => toChain(epoch, index, segments)).sort(recordingFirst),
    );
  });
  return { chains: joinLayers(state, chains), foreign };
}

function toChain(epoch: string, layer: number, segments: Segment[]): Chain[] {
  const [head, ...tail] = oneOfEach(segments.sort((a, b) => a.first - b.first || a.last - b.last));
  return head === undefined ? [] : [{ epoch, layer, segments: [head, ...tail] }];
}

/**
 * A segment that was joined with a later one above, by a rollback there, lies beside its longer self when the overlay is committed: both
 * record, and both say what changed since their one point in time.
 */
function oneOfEach(sorted: readonly Segment[]): Segment[] {
  const found: Segment[] = [];
  for (const segment of sorted) {
    const shorter = found.at(-1);
    const same =
      shorter !== undefined &&
      shorter.first === segment.first &&
      shorter.pit === segment.pit &&
      goesOnBeside(shorter, segment);
    if (same) found.splice(-1, 1, { ...segment, parts: [...segment.parts, ...shorter.parts] });
    else found.push(segment);
  }
  return found;
}

function recordingFirst(a: Chain, b: Chain): number {
  const rank = (chain: Chain): number => (newest(chain).info.recording ? 0 : 1);
  return rank(a) - rank(b) || (a.epoch < b.epoch ? -1 : 1);
}

/** The chain that tracks the disk now: on the highest layer that has one, the one that records. */
export function currentChain(catalogue: Catalogue): Chain | null {
  return catalogue.chains[0] ?? null;
}

/** The segment with the highest sequence number. */
export function newest(chain: Chain): Segment {
  return chain.segments.at(-1) ?? chain.segments[0];
}

/** What is wrong with the tiles from `from` on, for any question that starts there; null when nothing is. */
export function findTileProblem(state: DiskState, chain: Chain, from: Segment): Problem | null {
  const { problem } = layerOf(state, chain.layer);
  if (problem !== undefined) return problem;
  const start = chain.segments.indexOf(from);
  const over = chain.segments.slice(0, start).find((older) => older.last >= from.first);
  if (over !== undefined) return overlap(state, from, over);
  let previous: Segment | null = null;
  for (const segment of chain.segments.slice(start)) {
    // Worded where it is told: there may be many segments, and many questions.
    const what = (): string => `${describeSegment(segment)} on ${labelOf(state, segment)}`;
    const bad = segment.parts.find(({ info }) => info.problem !== undefined)?.info.problem;
    if (bad !== undefined) return bad;
    if (segment.parts.some(({ info }) => info.inconsistent)) {
      return {
        reason: 'CRASHED',
        message: `${what()} is inconsistent: its QEMU did not close the image cleanly`,
      };
    }
    if (previous !== null && segment.first !== previous.last + 1) {
      if (segment.first <= previous.last) return overlap(state, segment, previous);
      const message = `no segment for sequence ${previous.last + 1}..${segment.first - 1} before ${what()}`;
      if (!goesOnBeside(previous, segment)) return { reason: 'MISSING', message };
    }
    previous = segment;
  }
  return findHiddenPart(state, chain, from);
}

/**
 * Whether a segment records on the layer on which a later one does too, as libvirt's blockcommit leaves it: the image's own segment took
 * every write of the commit, so all that the overlay held, and that of the segments between the two as well.
 */
export function goesOnBeside(segment: Segment, later: Segment): boolean {
  return segment.parts.some(
    (part) =>
      part.info.recording && later.parts.some(({ layer, info }) => layer === part.layer && info.recording),
  );
}

function overlap(state: DiskState, segment: Segment, older: Segment): Problem {
  const message = `${describeSegment(segment)} on ${labelOf(state, segment)} overlaps ${describeSegment(older)}: a merge was left half-way`;
  return { reason: 'MISSING', message };
}

/** What stops the newest segment from telling the writes up to now; null when nothing does. */
export function findRecordingProblem(state: DiskState, chain: Chain): Problem | null {
  const last = newest(chain);
  if (last.info.recording) return null;
  return {
    reason: 'NOT_RECORDING',
    message: `${describeSegment(last)} on ${labelOf(state, last)} is the newest one and does not record`,
  };
}

/** Segments of one epoch on two layers that are not one chain: somebody copied or moved them, and no rule says which ones saw the writes. */
export function findTwinProblem(state: DiskState, catalogue: Catalogue, chain: Chain): Problem | null {
  const twin = catalogue.chains.find((c) => c.epoch === chain.epoch && c.layer !== chain.layer);
  if (twin === undefined) return null;
  const [here, there] = [layerOf(state, chain.layer).label, layerOf(state, twin.layer).label];
  return {
    reason: 'OVERLAY',
    message: `epoch ${chain.epoch} has segments on two layers, ${here} and ${there}`,
  };
}

/** What makes the current chain unable to answer up to now from its first point on; null when it can. */
export function findLoss(state: DiskState, catalogue: Catalogue, chain: Chain): Problem | null {
  const layer = layerOf(state, chain.layer);
  const broken =
    findTileProblem(state, chain, chain.segments[0]) ??
    findRecordingProblem(state, chain) ??
    findTwinProblem(state, catalogue, chain);
  if (broken !== null) return broken;
  const rival = catalogue.chains.find((other) => other !== chain && other.layer === chain.layer);
  if (rival === undefined) return null;
  const count = `${rival.segments.length} segment(s) of epoch ${rival.epoch}`;
  return {
    reason: 'OTHER_EPOCH',
    message: `${count} are left beside epoch ${chain.epoch} on ${layer.label}`,
  };
}

/** What keeps the current chain from going on with a new segment; null when it may. */
export function findChainProblem(state: DiskState, catalogue: Catalogue, chain: Chain): Problem | null {
  const lost = findLoss(state, catalogue, chain);
  if (lost !== null || chain.layer === 0) return lost;
  return {
    reason: 'OVERLAY',
    message: `the segments sit on ${layerOf(state, chain.layer).label}, below ${layerOf(state, 0).label}: answers add all that the layers above hold`,
  };
}

/** A problem as the error that refuses an answer. A bitmap that is held for a moment is no reason for a full backup. */
export function refusedBecause(state: DiskState, { reason, message }: Problem): CbtError {
  const { disk } = state;
  if (reason === 'BUSY') return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { reason, disk });
  return trackingLost(reason, message, { disk });
}

/** Everything that a person who looks at the disk should know; empty when all is well, or nothing is tracked. */
export function findProblems(state: DiskState, catalogue: Catalogue): Problem[] {
  const chain = currentChain(catalogue);
  const chainProblem = chain === null ? null : findChainProblem(state, catalogue, chain);
  const problems = chainProblem === null ? [] : [chainProblem];
  const shrink = chain === null ? null : findShrinkProblem(state, chain);
  if (shrink !== null) problems.push(shrink);
  for (const layer of state.layers) {
    // A layer that cannot hold bitmaps (raw, qcow2 version 2) is nobody's trouble; one that held some and lost them is.
    const matters = layer.bitmaps.length > 0 || layer.problem?.reason !== 'FORMAT';
    if (layer.problem !== undefined && matters && layer.problem !== chainProblem)
      problems.push(layer.problem);
    for (const info of layer.bitmaps) {
      if (!isUnreadableSegmentName(info.name)) continue;
      const { reason, message } = unreadableName(info, layer);
      problems.push({ reason, message: `${message}; it is left alone` });
    }
  }
  return problems;
}

/** A bitmap that claims our scheme, damaged or of a later version: what it holds is not known. */
export function unreadableName(info: BitmapInfo, layer: LayerState): Problem {
  const shown = JSON.stringify(info.name);
  return {
    reason: 'FORMAT',
    message: `bitmap ${shown} on ${layer.label} claims our naming but cannot be read`,
  };
}

function labelOf(state: DiskState, { parts }: Segment): string {
  return layerOf(state, parts[0]?.layer ?? 0).label;
}

export function layerOf(state: DiskState, index: number): LayerState {
  const layer = state.layers[index];
  if (layer === undefined) throw trackingLost('MISSING', `layer ${index} is gone`, { disk: state.disk });
  return layer;
}
