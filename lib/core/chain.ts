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
import { type CbtReason, trackingLost } from './errors.js';
import { parseUuid } from './pointInTime.js';
import { isUnreadableSegmentName, parseSegmentName, type SegmentName } from './segmentName.js';

/** One segment: a bitmap of ours with the record that its name is. */
export interface Segment extends SegmentName {
  info: BitmapInfo;
}

/** The segments of one epoch on one layer, ascending by sequence number; at least one. */
export interface Chain {
  epoch: string;
  /** Index into `DiskState.layers`; 0 is the top. */
  layer: number;
  segments: readonly [Segment, ...Segment[]];
}

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

export interface Problem {
  reason: CbtReason;
  message: string;
}

/** Sorts the bitmaps of all layers into chains and foreign bitmaps. */
export function readCatalogue(state: DiskState): Catalogue {
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
      segments.push({ ...parsed, info });
      epochs.set(parsed.epoch, segments);
    }
    chains.push(
      ...[...epochs].flatMap(([epoch, segments]) => toChain(epoch, index, segments)).sort(recordingFirst),
    );
  });
  return { chains, foreign };
}

function toChain(epoch: string, layer: number, segments: Segment[]): Chain[] {
  const [head, ...tail] = segments.sort((a, b) => a.first - b.first || a.last - b.last);
  return head === undefined ? [] : [{ epoch, layer, segments: [head, ...tail] }];
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

/** How to name a segment in a message: short, and enough to find it. */
export function describeSegment(segment: SegmentName): string {
  const tiles = segment.first === segment.last ? `${segment.first}` : `${segment.first}-${segment.last}`;
  return `segment ${tiles} (PIT ${segment.pit})`;
}

/** What is wrong with the tiles from `from` on, for any question that starts there; null when nothing is. */
export function findTileProblem(chain: Chain, from: Segment, layer: LayerState): Problem | null {
  if (layer.problem !== undefined) return layer.problem;
  let previous: Segment | null = null;
  for (const segment of chain.segments.slice(chain.segments.indexOf(from))) {
    const what = `${describeSegment(segment)} on ${layer.label}`;
    if (segment.info.problem !== undefined) return segment.info.problem;
    if (segment.info.inconsistent) {
      return {
        reason: 'CRASHED',
        message: `${what} is inconsistent: its QEMU did not close the image cleanly`,
      };
    }
    if (previous !== null && segment.first !== previous.last + 1) {
      const gap = segment.first > previous.last;
      const message = gap
        ? `no segment for sequence ${previous.last + 1}..${segment.first - 1} before ${what}`
        : `${what} overlaps ${describeSegment(previous)}: a merge was left half-way`;
      return { reason: 'MISSING', message };
    }
    if (previous?.info.recording) {
      return {
        reason: 'NOT_RECORDING',
        message: `${describeSegment(previous)} on ${layer.label} records although ${describeSegment(segment)} follows it`,
      };
    }
    previous = segment;
  }
  return null;
}

/** What stops the newest segment from telling the writes up to now; null when nothing does. */
export function findRecordingProblem(chain: Chain, layer: LayerState): Problem | null {
  const last = newest(chain);
  if (last.info.recording) return null;
  return {
    reason: 'NOT_RECORDING',
    message: `${describeSegment(last)} on ${layer.label} is the newest one and does not record`,
  };
}

/** What keeps the current chain from going on with a new segment; null when it may. */
export function findChainProblem(state: DiskState, catalogue: Catalogue, chain: Chain): Problem | null {
  const layer = layerOf(state, chain.layer);
  const broken = findTileProblem(chain, chain.segments[0], layer) ?? findRecordingProblem(chain, layer);
  if (broken !== null) return broken;
  const rival = catalogue.chains.find((other) => other !== chain && other.layer === chain.layer);
  if (rival !== undefined) {
    const count = `${rival.segments.length} segment(s) of epoch ${rival.epoch}`;
    return {
      reason: 'OTHER_EPOCH',
      message: `${count} are left beside epoch ${chain.epoch} on ${layer.label}`,
    };
  }
  if (chain.layer === 0) return null;
  return {
    reason: 'OVERLAY',
    message: `the segments sit on ${layer.label}, below ${layerOf(state, 0).label}: answers add all that the layers above hold`,
  };
}

/** Everything that a person who looks at the disk should know; empty when all is well, or nothing is tracked. */
export function findProblems(state: DiskState, catalogue: Catalogue): Problem[] {
  const chain = currentChain(catalogue);
  const chainProblem = chain === null ? null : findChainProblem(state, catalogue, chain);
  const problems = chainProblem === null ? [] : [chainProblem];
  for (const layer of state.layers) {
    if (layer.problem !== undefined && layer.bitmaps.length > 0 && layer.problem !== chainProblem)
      problems.push(layer.problem);
    for (const info of layer.bitmaps) {
      if (!isUnreadableSegmentName(info.name)) continue;
      const message = `bitmap ${JSON.stringify(info.name)} on ${layer.label} claims our naming but cannot be read; it is left alone`;
      problems.push({ reason: 'FORMAT', message });
    }
  }
  return problems;
}

export function layerOf(state: DiskState, index: number): LayerState {
  const layer = state.layers[index];
  if (layer === undefined) throw trackingLost('MISSING', `layer ${index} is gone`, { disk: state.disk });
  return layer;
}
