/**
 * One chain over several layers. Who puts an overlay on a disk and knows of bitmaps (libvirt's external snapshots) gives the overlay, in
 * the same transaction, a bitmap of the name of each that recorded: from there on the segment goes on above.
 *
 *   layer 0 (overlay)                       [ n        ) [ n+1 recording ...
 *   layer 1 (image)    [ n-1      ) [ n ... recording, but nobody writes
 *
 * Segment n is then what either of its parts says. Anything that does not look exactly so stays two chains, which nobody trusts.
 */
import type { BitmapInfo, DiskState, LayerState } from './diskSource.js';
import type { Problem } from './errors.js';
import { describeSegment, type SegmentName } from './segmentName.js';

/** A bitmap that holds a segment, or what one layer knows of it. `layer`: index into `DiskState.layers`; 0 is the top. */
export interface SegmentPart {
  layer: number;
  info: BitmapInfo;
}

/** One segment: a bitmap of ours with the record that its name is. */
export interface Segment extends SegmentName {
  /** Of its part on the highest layer. */
  info: BitmapInfo;
  /** Highest layer first; more than one where an overlay came while it recorded. What any of them says changed. */
  parts: readonly SegmentPart[];
}

/** The segments of one epoch, ascending by sequence number; at least one. Older ones may lie on lower layers. */
export interface Chain {
  epoch: string;
  /** The highest layer that it is on: index into `DiskState.layers`; 0 is the top. */
  layer: number;
  segments: readonly [Segment, ...Segment[]];
}

/** Chains that go on from layer to layer as one; `chains` top layer first. */
export function joinLayers(state: DiskState, chains: readonly Chain[]): Chain[] {
  const joined: Chain[] = [];
  for (const lower of chains) {
    const above = joined.findIndex((one) => one.epoch === lower.epoch && bottomOf(one) + 1 === lower.layer);
    const upper = joined[above];
    const whole = upper === undefined ? null : join(state, upper, lower);
    if (whole === null) joined.push(lower);
    else joined[above] = whole;
  }
  return joined;
}

/** The lowest layer that a chain has a part on. */
export function bottomOf({ segments }: Chain): number {
  return Math.max(...segments[0].parts.map(({ layer }) => layer));
}

/** Null where the lower one is not surely what the upper one goes on from. */
function join(state: DiskState, upper: Chain, lower: Chain): Chain | null {
  const sizes = state.layers.slice(upper.layer, lower.layer + 1).map(({ sizeBytes }) => sizeBytes);
  if (sizes.some((size) => size !== sizes[0]) || state.layers[lower.layer]?.problem !== undefined)
    return null;
  const [first] = upper.segments;
  const start = lower.segments.findIndex(
    (one) => one.first === first.first && one.pit === first.pit && one.sizeBytes === first.sizeBytes,
  );
  if (start < 0) return null;
  const parts = new Map<Segment, Segment['parts'][number][]>();
  for (const part of lower.segments.slice(start)) {
    const whole = upper.segments.find((one) => one.first <= part.first && part.last <= one.last);
    // One that did not record when the overlay came has no part above.
    const { recording, inconsistent, problem } = part.info;
    if (whole === undefined || !recording || inconsistent || problem !== undefined) return null;
    parts.set(whole, [...(parts.get(whole) ?? []), ...part.parts]);
  }
  const above = upper.segments.map((one) => ({ ...one, parts: [...one.parts, ...(parts.get(one) ?? [])] }));
  const [head, ...tail] = [...lower.segments.slice(0, start), ...above];
  return head === undefined ? null : { ...upper, segments: [head, ...tail] };
}

/**
 * Why segments from `from` on may have a part that is not seen; null where none can have one. A segment that began below has a part on the
 * chain's lowest layer since that layer was made, and the layer below, which has the rest, cannot be read. Nothing in a bitmap tells a copy by
 * libvirt from one that began here, also number 1 of its epoch. Two things prove that nothing is missing:
 *
 * - One that ended on a layer ended whole: the point in time that ended it merged what was below, and was refused where that was not known.
 * - What follows such a one began after the layer was made: libvirt brings only those along that record, so it ended here.
 */
export function findHiddenPart(state: DiskState, chain: Chain, from: Segment): Problem | null {
  const bottom = bottomOf(chain);
  const [layer, below] = state.layers.slice(bottom, bottom + 2);
  if (layer === undefined || below?.problem === undefined || !mayHoldBitmaps(below)) return null;
  const here = ({ parts }: Segment): SegmentPart[] => parts.filter((part) => part.layer === bottom);
  const onIt = chain.segments.filter((one) => here(one).length > 0);
  const ended = onIt.findIndex((one) => here(one).some(({ info }) => !info.recording));
  const doubted = ended < 0 ? onIt : onIt.slice(0, ended);
  if (!doubted.includes(from)) return null;
  const { reason, message } = below.problem;
  const what = `${describeSegment(from)} on ${layer.label} may have begun on ${below.label}, which cannot be read`;
  return { reason, message: `${what}: ${message}` };
}

/** Raw images and qcow2 of version 2, which is all that `FORMAT` says of a qcow2 image that could be read, never held one. */
function mayHoldBitmaps({ format, problem }: LayerState): boolean {
  return format !== 'raw' && !(format === 'qcow2' && problem?.reason === 'FORMAT');
}
