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
  layerOf,
  type Problem,
  readCatalogue,
  type Segment,
} from './chain.js';
import type { BitmapInfo, BitmapRef, DiskState } from './diskSource.js';
import { CbtError, trackingLost } from './errors.js';
import type { Point } from './point.js';

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
  from: string;
  /** The later point, null for now. */
  to: string | null;
  /** What the caller should know about a right but limited answer. */
  warnings: readonly string[];
}

type Found =
  | { kind: 'segment'; chain: Chain; segment: Segment }
  | { kind: 'foreign'; bitmap: ForeignBitmap }
  /** The point's epoch is not on this disk. */
  | { kind: 'none'; error: CbtError };

/** Decides how [from, to) is answered; `to` null means now. Throws a CbtError with its reason otherwise. */
export function planChanges(state: DiskState, from: Point, to: Point | null): ChangePlan {
  const catalogue = readCatalogue(state);
  const start = find(state, catalogue, from);
  if (start.kind === 'none') throw start.error;
  if (start.kind === 'foreign') return planForeign(state, start.bitmap, to);
  const end = to === null ? null : find(state, catalogue, to);
  if (end?.kind === 'none') throw end.error;
  if (end?.kind === 'foreign') {
    throw trackingLost(
      'FOREIGN',
      `bitmap ${JSON.stringify(end.bitmap.info.name)} is not ours: it names no end of a segment`,
      {
        disk: state.disk,
      },
    );
  }
  return planSegments(state, start.chain, start.segment, end);
}

function planSegments(
  state: DiskState,
  chain: Chain,
  start: Segment,
  end: { chain: Chain; segment: Segment } | null,
): ChangePlan {
  const layer = layerOf(state, chain.layer);
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
    findTileProblem(chain, start, layer) ??
    (end === null ? findRecordingProblem(chain, layer) : null) ??
    findTwinProblem(state, chain);
  if (problem !== null) throw lost(state, problem);

  const tiles = chain.segments.slice(chain.segments.indexOf(start));
  const until = end === null ? tiles.length : tiles.indexOf(end.segment);
  const sizes = sizeHistory(state, chain, tiles);
  const sizeBytes = end === null ? state.sizeBytes : end.segment.sizeBytes;
  checkNothingDropped(state, sizes.slice(1), Math.min(start.sizeBytes, sizeBytes));
  const read = tiles.slice(0, until);
  return {
    bitmaps: read.map((segment) => ({ layer: chain.layer, name: segment.info.name })),
    granularityBytes: Math.max(...(read.length === 0 ? [start] : read).map((s) => s.info.granularityBytes)),
    sizeBytes,
    grownFromBytes: Math.min(start.sizeBytes, sizeBytes),
    overlayLayers: read.length === 0 ? 0 : chain.layer,
    from: start.pit,
    to: end === null ? null : end.segment.pit,
    warnings: overlayWarning(state, chain.layer),
  };
}

/** A bitmap of somebody else answers "since it was made" and nothing else. */
function planForeign(state: DiskState, bitmap: ForeignBitmap, to: Point | null): ChangePlan {
  const { info } = bitmap;
  const shown = `bitmap ${JSON.stringify(info.name)}`;
  if (to !== null) {
    const what = `${shown} is not ours: it answers what changed since it was made, and nothing between two points`;
    throw trackingLost('FOREIGN', what, { disk: state.disk });
  }
  const layer = layerOf(state, bitmap.layer);
  const problem = layer.problem ?? info.problem ?? findForeignProblem(info, shown, layer.label);
  if (problem !== null) throw lost(state, problem);
  return {
    bitmaps: [{ layer: bitmap.layer, name: info.name }],
    granularityBytes: info.granularityBytes,
    sizeBytes: state.sizeBytes,
    // The bitmap covers its own layer; what a larger overlay adds on top is new by definition.
    grownFromBytes: Math.min(layer.sizeBytes, state.sizeBytes),
    overlayLayers: bitmap.layer,
    from: bitmap.pit ?? info.name,
    to: null,
    warnings: [
      `${shown} is not ours: it does not record the size of the disk at its start, so growth since then may be missing`,
      ...overlayWarning(state, bitmap.layer),
    ],
  };
}

function findForeignProblem(info: BitmapInfo, shown: string, where: string): Problem | null {
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

/** Segments of one epoch on two layers: somebody copied or moved them, and no rule says which ones saw the writes. */
function findTwinProblem(state: DiskState, chain: Chain): Problem | null {
  const twin = readCatalogue(state).chains.find((c) => c.epoch === chain.epoch && c.layer !== chain.layer);
  if (twin === undefined) return null;
  const [here, there] = [layerOf(state, chain.layer).label, layerOf(state, twin.layer).label];
  return {
    reason: 'OVERLAY',
    message: `epoch ${chain.epoch} has segments on two layers, ${here} and ${there}`,
  };
}

/** The disk's size at each known moment from the start on: every later point in time, then each layer upwards. */
function sizeHistory(state: DiskState, chain: Chain, tiles: readonly Segment[]): number[] {
  const above = state.layers.slice(0, chain.layer + 1).reverse();
  return [...tiles.map((s) => s.sizeBytes), ...above.map((l) => l.sizeBytes)];
}

/**
 * A shrink drops bits, and growing again brings them back clean. That matters only below the smaller of the two ends:
 * what lies past it is clipped, or counted as grown.
 *
 *   size at A |==================|        bits of [min, …) were dropped
 *   min since |=========|                 refused when min < min(size at A, size at B)
 *   size at B |================|
 */
function checkNothingDropped(state: DiskState, later: readonly number[], neededBytes: number): void {
  const smallest = Math.min(...later);
  if (smallest >= neededBytes) return;
  throw trackingLost(
    'SIZE',
    `the disk was once ${smallest} bytes long, shorter than the ${neededBytes} bytes asked about: what changed past that was dropped`,
    { disk: state.disk, details: { smallestBytes: smallest, neededBytes } },
  );
}

function overlayWarning(state: DiskState, layers: number): string[] {
  if (layers === 0) return [];
  const names = state.layers.slice(0, layers).map((layer) => layer.label);
  return [`an overlay took the writes (${names.join(', ')}): all that it holds is counted as changed`];
}

function find(state: DiskState, catalogue: Catalogue, point: Point): Found {
  const { disk } = state;
  switch (point.kind) {
    case 'allocated':
      return none('ERR_CBT_INVALID_ARGUMENT', '* is not a point in time: ask for the allocated map', {
        disk,
      });
    case 'changeId':
      return findChangeId(state, catalogue, point.epoch, point.sequence);
    case 'pit': {
      const ours = segmentsWhere(catalogue, (segment) => segment.pit === point.uuid);
      const theirs = catalogue.foreign.filter((bitmap) => bitmap.pit === point.uuid);
      return pick(state, catalogue, ours, theirs, `PIT ${point.uuid}`);
    }
    case 'name': {
      const ours = segmentsWhere(catalogue, (segment) => segment.info.name === point.name);
      const theirs = catalogue.foreign.filter((bitmap) => bitmap.info.name === point.name);
      return pick(state, catalogue, ours, theirs, `bitmap ${JSON.stringify(point.name)}`);
    }
  }
}

function findChangeId(state: DiskState, catalogue: Catalogue, epoch: string, sequence: number): Found {
  const { disk } = state;
  const chains = catalogue.chains.filter((chain) => chain.epoch === epoch);
  if (chains.length === 0) {
    const unreadable = findAbsenceProblem(state, catalogue);
    if (unreadable !== null) return { kind: 'none', error: lost(state, unreadable) };
    const now = catalogue.chains[0]?.epoch;
    const instead = now === undefined ? 'is not tracked' : `now records epoch ${now}`;
    return {
      kind: 'none',
      error: trackingLost('OTHER_EPOCH', `the changeId names epoch ${epoch}, this disk ${instead}`, { disk }),
    };
  }
  const ours = chains.flatMap((chain) =>
    chain.segments.filter((s) => s.first === sequence).map((segment) => ({ chain, segment })),
  );
  return pick(state, catalogue, ours, [], `sequence ${sequence} of epoch ${epoch}`);
}

function segmentsWhere(
  catalogue: Catalogue,
  test: (segment: Segment) => boolean,
): { chain: Chain; segment: Segment }[] {
  return catalogue.chains.flatMap((chain) =>
    chain.segments.filter(test).map((segment) => ({ chain, segment })),
  );
}

/** Ours before theirs, the highest layer first; two candidates on one layer are a doubt, so an error. */
function pick(
  state: DiskState,
  catalogue: Catalogue,
  ours: readonly { chain: Chain; segment: Segment }[],
  theirs: readonly ForeignBitmap[],
  what: string,
): Found {
  const { disk } = state;
  const [first, second] = ours;
  if (first !== undefined) {
    if (second !== undefined && second.chain.layer === first.chain.layer) {
      const names = `${describeSegment(first.segment)} and ${describeSegment(second.segment)}`;
      return {
        kind: 'none',
        error: trackingLost('MISSING', `${what} is named by two segments, ${names}`, { disk }),
      };
    }
    return { kind: 'segment', ...first };
  }
  const [bitmap, rival] = theirs;
  if (bitmap !== undefined) {
    if (rival !== undefined && rival.layer === bitmap.layer) {
      return none(
        'ERR_CBT_UNKNOWN_PIT',
        `${what} is the name of two bitmaps that differ in braces or case: use the exact name`,
        {
          disk,
          reason: 'FOREIGN',
        },
      );
    }
    return { kind: 'foreign', bitmap };
  }
  const unreadable = findAbsenceProblem(state, catalogue);
  if (unreadable !== null) return { kind: 'none', error: lost(state, unreadable) };
  return none('ERR_CBT_UNKNOWN_PIT', `${what} is not on this disk; take a full backup of this disk`, {
    disk,
    reason: 'UNKNOWN_PIT',
  });
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

function lost(state: DiskState, problem: Problem): CbtError {
  return trackingLost(problem.reason, problem.message, { disk: state.disk });
}
