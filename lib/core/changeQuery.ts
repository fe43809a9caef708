/**
 * From "what changed between A and B" to the bitmaps that answer it, or to the reason why nothing may be answered.
 *
 *   changed(A, B) = OR of the segments from A up to, not including, B's    (B left out: up to now, the newest included)
 *                 + [size at A, size at B) when the disk grew              (QEMU grows a bitmap with clean bits)
 *                 + what the layers above hold, when the segments sit below an overlay
 *
 * Pure: it sees a `DiskState` and decides; it reads no bit.
 */
import {
  type Catalogue,
  type Chain,
  describeSegment,
  type ForeignBitmap,
  findRecordingProblem,
  findTileProblem,
  findTwinProblem,
  layerOf,
  readCatalogue,
  refusedBecause,
  type Segment,
  unreadableName,
} from './chain.js';
import type { BitmapInfo, BitmapRef, DiskState, LayerState } from './diskSource.js';
import type { Problem } from './errors.js';
import { CbtError, trackingLost } from './errors.js';
import type { PointName } from './ids.js';
import { describePoint, fitsSegment, type Point } from './point.js';
import { isUnreadableSegmentName } from './segmentName.js';
import { checkNothingDropped } from './sizeHistory.js';

/** What to read for one change map. Sizes and offsets in bytes. */
export interface ChangePlan {
  bitmaps: readonly BitmapRef[];
  /** Coarsest granularity among the bitmaps; what the map is told at. */
  granularityBytes: number;
  /** Size of the disk at the later end: the map covers [0, sizeBytes). */
  sizeBytes: number;
  /** [grownFromBytes, sizeBytes) is new since the earlier end; equal to `sizeBytes` when the disk did not grow. */
  grownFromBytes: number;
  /** How many layers above the bitmaps must be added with all that they hold; 0 for none. */
  overlayLayers: number;
  /** The earlier point: PIT UUID, or the bitmap's name where it is no UUID. */
  from: PointName;
  /** The later point, null for now. */
  to: PointName | null;
  /** What the caller should know about a right but limited answer. */
  warnings: readonly string[];
}

type Found =
  | { kind: 'segment'; chain: Chain; segment: Segment }
  | { kind: 'foreign'; bitmap: ForeignBitmap }
  /** The point's epoch is not on this disk. */
  | { kind: 'none'; error: CbtError };

/**
 * Decides how [from, to) is answered; `to` null means now. Throws a CbtError with its reason otherwise. `catalogue`: that of the state, for
 * whoever asks many questions of it.
 */
export function planChanges(
  state: DiskState,
  from: Point,
  to: Point | null,
  catalogue: Catalogue = readCatalogue(state),
): ChangePlan {
  const start = find(state, catalogue, from);
  if (start.kind === 'none') throw start.error;
  const end = to === null ? null : find(state, catalogue, to);
  if (end?.kind === 'none') throw end.error;
  if (start.kind === 'foreign') return planForeign(state, start.bitmap, end);
  if (end?.kind === 'foreign') {
    throw trackingLost(
      'FOREIGN',
      `bitmap ${JSON.stringify(end.bitmap.info.name)} is not ours: it names no end of a segment`,
      {
        disk: state.disk,
      },
    );
  }
  return planSegments(state, catalogue, start.chain, start.segment, end);
}

function planSegments(
  state: DiskState,
  catalogue: Catalogue,
  chain: Chain,
  start: Segment,
  end: { chain: Chain; segment: Segment } | null,
): ChangePlan {
  if (end !== null && end.chain !== chain) {
    const other =
      end.chain.epoch === chain.epoch
        ? 'on another layer'
        : `of epoch ${end.chain.epoch}, not ${chain.epoch}`;
    throw trackingLost(
      'OTHER_EPOCH',
      `${describeSegment(end.segment)} is ${other}: the two points do not compare`,
      {
        disk: state.disk,
      },
    );
  }
  if (end !== null && end.segment.first < start.first) {
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `the earlier point is ${describeSegment(start)}, the later one ${describeSegment(end.segment)}: they are the wrong way round`,
      { disk: state.disk },
    );
  }
  const problem =
    findTileProblem(state, chain, start) ??
    (end === null ? findRecordingProblem(state, chain) : null) ??
    findTwinProblem(state, catalogue, chain);
  if (problem !== null) throw refusedBecause(state, problem);

  const tiles = chain.segments.slice(chain.segments.indexOf(start));
  const until = end === null ? tiles.length : tiles.indexOf(end.segment);
  const sizeBytes = end === null ? state.sizeBytes : end.segment.sizeBytes;
  checkNothingDropped(state, chain, start, sizeBytes);
  const read = tiles.slice(0, until);
  return {
    bitmaps: read.flatMap(({ parts }) => parts.map(({ layer, info }) => ({ layer, name: info.name }))),
    granularityBytes: read
      .flatMap(({ parts }) => parts)
      .reduce((g, { info }) => Math.max(g, info.granularityBytes), start.info.granularityBytes),
    sizeBytes,
    grownFromBytes: Math.min(start.sizeBytes, sizeBytes),
    overlayLayers: read.length === 0 ? 0 : chain.layer,
    from: start.pit,
    to: end === null ? null : end.segment.pit,
    warnings: [
      ...overlayWarning(state, chain.layer),
      ...(end === null ? liveWarning(state) : goesOnWarning(read)),
    ],
  };
}

function goesOnWarning(read: readonly Segment[]): string[] {
  const on = read.filter(({ info }) => info.recording);
  return on.map(
    (segment) =>
      `${describeSegment(segment)} goes on recording until the next point in time is taken, as a blockcommit leaves it: what was written after the later point counts as changed too`,
  );
}

/**
 * A bitmap of somebody else answers "since it was made up to now". Up to our newest point, which is what a session's instant is,
 * that is more than what changed, never less; nothing else between two points.
 */
function planForeign(
  state: DiskState,
  bitmap: ForeignBitmap,
  end: Exclude<Found, { kind: 'none' }> | null,
): ChangePlan {
  const { info } = bitmap;
  const shown = `bitmap ${JSON.stringify(info.name)}`;
  const newest = end?.kind === 'segment' && end.chain.segments.at(-1) === end.segment ? end.segment : null;
  if (end !== null && newest === null) {
    const what = `${shown} is not ours: it answers what changed since it was made, and nothing between two points`;
    throw trackingLost('FOREIGN', what, { disk: state.disk });
  }
  const layer = layerOf(state, bitmap.layer);
  const problem = layer.problem ?? info.problem ?? findForeignProblem(info, shown, layer);
  if (problem !== null) throw refusedBecause(state, problem);
  const sizes = [state, ...state.layers.slice(0, bitmap.layer + 1)].map((known) => known.sizeBytes);
  return {
    bitmaps: [{ layer: bitmap.layer, name: info.name }],
    granularityBytes: info.granularityBytes,
    sizeBytes: newest?.sizeBytes ?? state.sizeBytes,
    // What lies past the end of the bitmap's layer, or of one above it, was not there for a while: it is new.
    grownFromBytes: sizes.reduce((least, size) => Math.min(least, size), newest?.sizeBytes ?? Infinity),
    overlayLayers: bitmap.layer,
    from: bitmap.pit ?? info.name,
    to: newest?.pit ?? null,
    warnings: [
      `${shown} is not ours: it does not record the size of the disk at its start, so growth since then may be missing`,
      ...overlayWarning(state, bitmap.layer),
      ...(newest === null
        ? liveWarning(state)
        : [`${shown} goes on recording: what was written after the later point counts as changed too`]),
    ],
  };
}

function findForeignProblem(info: BitmapInfo, shown: string, layer: LayerState): Problem | null {
  const where = layer.label;
  if (isUnreadableSegmentName(info.name)) return unreadableName(info, layer);
  if (info.inconsistent) {
    return {
      reason: 'CRASHED',
      message: `${shown} on ${where} is inconsistent: its QEMU did not close the image cleanly`,
    };
  }
  if (!info.recording) {
    return {
      reason: 'NOT_RECORDING',
      message: `${shown} on ${where} does not record, so it cannot tell what changed up to now`,
    };
  }
  return null;
}

function overlayWarning(state: DiskState, layers: number): string[] {
  if (layers === 0) return [];
  const names = state.layers.slice(0, layers).map((layer) => layer.label);
  return [`an overlay took the writes (${names.join(', ')}): all that it holds is counted as changed`];
}

function liveWarning(state: DiskState): string[] {
  if (!state.live) return [];
  return [
    `${state.disk} is in use: what the guest writes from now on is not in this map; a session has an instant`,
  ];
}

function find(state: DiskState, catalogue: Catalogue, point: Point): Found {
  const { disk } = state;
  if (point.kind === 'allocated')
    return none('ERR_CBT_INVALID_ARGUMENT', '* is not a point in time: ask for the allocated map', { disk });
  const ours = candidates(catalogue, point).filter(({ segment }) =>
    fitsSegment(point, segment, segment.info.name),
  );
  if (ours.length === 0 && (point.kind === 'changeId' || point.kind === 'instant')) {
    const error = findHistoryProblem(state, catalogue, point);
    if (error !== null) return { kind: 'none', error };
  }
  const named = (name: string | undefined): ForeignBitmap[] =>
    catalogue.foreign.filter(({ info }) => info.name === name);
  if (point.kind === 'name' && point.checkpoint !== undefined && ours.length === 0) {
    const [exact, checkpoint] = [named(point.name), named(point.checkpoint)];
    if (exact.length > 0 && checkpoint.length > 0) {
      const message = `${JSON.stringify(point.name)} is a bitmap, and ${JSON.stringify(point.checkpoint)}, as a checkpoint of that name is, is another: which one is meant cannot be told`;
      return { kind: 'none', error: trackingLost('FOREIGN', message, { disk }) };
    }
    return pick(state, catalogue, [], exact.length > 0 ? exact : checkpoint, describePoint(point));
  }
  const theirs =
    point.kind === 'pit'
      ? catalogue.foreign.filter(({ pit }) => pit === point.pit)
      : named(point.kind === 'name' ? point.name : undefined);
  return pick(state, catalogue, ours, theirs, describePoint(point));
}

/** Why a point of one history cannot be on this disk; null where it is simply not there. */
function findHistoryProblem(
  state: DiskState,
  catalogue: Catalogue,
  point: Extract<Point, { kind: 'changeId' | 'instant' }>,
): CbtError | null {
  const { disk } = state;
  const { epoch, sequence } = point;
  const chains = catalogue.chains.filter((chain) => chain.epoch === epoch);
  if (chains.length === 0) {
    const unreadable = findAbsenceProblem(state, catalogue);
    if (unreadable !== null) return refusedBecause(state, unreadable);
    const now = catalogue.chains[0]?.epoch;
    const instead = now === undefined ? 'is not tracked' : `now records epoch ${now}`;
    return trackingLost('OTHER_EPOCH', `epoch ${epoch} is asked for, and this disk ${instead}`, { disk });
  }
  if (sequence === 0) {
    const what = `the changeId's number is below 2^32, and no point in time has such a number`;
    return unknownPit(what, disk);
  }
  const other = chains.flatMap(({ segments }) => segments).find(({ first }) => first === sequence);
  if (other === undefined) return null;
  return unknownPit(
    `${describePoint(point)} is another point in time here, PIT ${other.pit}: this image is a copy, or an older file put back, that went on by itself`,
    disk,
  );
}

function unknownPit(what: string, disk: string): CbtError {
  const options = { disk, reason: 'UNKNOWN_PIT' } as const;
  return new CbtError('ERR_CBT_UNKNOWN_PIT', `${what}; take a full backup of this disk`, options);
}

interface Place {
  chain: Chain;
  segment: Segment;
}

/** The segments of a catalogue by their PIT: whoever asks many questions of it looks each point up. */
const byPit = new WeakMap<Catalogue, ReadonlyMap<string, readonly Place[]>>();

/** All segments that a point may be: of one that has a PIT, those with it. */
function candidates(catalogue: Catalogue, point: Point): readonly Place[] {
  const pit = point.kind === 'pit' ? point.pit : point.kind === 'instant' ? point.pit : null;
  if (pit === null) return placesOf(catalogue);
  const places = byPit.get(catalogue) ?? groupByPit(placesOf(catalogue));
  byPit.set(catalogue, places);
  return places.get(pit) ?? [];
}

function placesOf({ chains }: Catalogue): Place[] {
  return chains.flatMap((chain) => chain.segments.map((segment) => ({ chain, segment })));
}

function groupByPit(places: readonly Place[]): Map<string, Place[]> {
  const groups = new Map<string, Place[]>();
  for (const place of places) {
    const group = groups.get(place.segment.pit);
    if (group === undefined) groups.set(place.segment.pit, [place]);
    else group.push(place);
  }
  return groups;
}

/**
 * Two candidates are a doubt, so an error: ours beside another of ours, or beside one of theirs, may be of another instant.
 * Only segments of one epoch on two layers go on, to be refused as what they are. Of theirs the lowest: copies above it
 * were made by a snapshot and start there, so only the lowest one, with all that the layers above hold, goes back to the point.
 */
function pick(
  state: DiskState,
  catalogue: Catalogue,
  ours: readonly Place[],
  theirs: readonly ForeignBitmap[],
  what: string,
): Found {
  const { disk } = state;
  const [first, second] = ours;
  if (first !== undefined) {
    const twins = second?.chain.epoch === first.chain.epoch && second.chain.layer !== first.chain.layer;
    if (second !== undefined && !twins) {
      const names = `${describeSegment(first.segment)} and ${describeSegment(second.segment)}`;
      return {
        kind: 'none',
        error: trackingLost('MISSING', `${what} is named by two segments, ${names}`, { disk }),
      };
    }
    if (theirs.length > 0) {
      const message = `${what} is named by ${describeSegment(first.segment)} and by a bitmap that is not ours: which one is meant cannot be told`;
      return { kind: 'none', error: trackingLost('FOREIGN', message, { disk }) };
    }
    return { kind: 'segment', ...first };
  }
  const bitmap = theirs.at(-1);
  if (bitmap !== undefined) {
    if (theirs.at(-2)?.layer !== bitmap.layer) return { kind: 'foreign', bitmap };
    const where = layerOf(state, bitmap.layer).label;
    return none(
      'ERR_CBT_UNKNOWN_PIT',
      `${what} is the name of two bitmaps on ${where}, alike but for braces, dashes or case: which one is meant cannot be told`,
      { disk, reason: 'FOREIGN' },
    );
  }
  const unreadable = findAbsenceProblem(state, catalogue);
  if (unreadable !== null) return { kind: 'none', error: refusedBecause(state, unreadable) };
  return { kind: 'none', error: unknownPit(`${what} is not on this disk`, disk) };
}

/**
 * Why a point may be absent without having been forgotten: its layer cannot be read, or lost its bitmaps at a restart.
 * Only where no chain is left; beside a chain that can be read, the point is simply unknown.
 */
function findAbsenceProblem(state: DiskState, catalogue: Catalogue): Problem | null {
  if (catalogue.chains.length > 0) return null;
  const top = layerOf(state, 0);
  if (top.volatile) {
    return {
      reason: 'VOLATILE',
      message: `bitmaps on ${top.label} (${top.format}) do not survive a restart of the VM`,
    };
  }
  if (top.problem !== undefined) return top.problem;
  // A raw base image never held a chain; any other layer that cannot be read may have.
  return state.layers.find((layer) => layer.problem !== undefined && layer.format !== 'raw')?.problem ?? null;
}

function none(...args: ConstructorParameters<typeof CbtError>): Found {
  return { kind: 'none', error: new CbtError(...args) };
}
