/** What is told of a disk's points in time, and of the bitmaps beside them. */
import { type Catalogue, currentChain, findLoss } from './chain.js';
import type { DiskState } from './diskSource.js';
import type { Problem } from './errors.js';
import type { BitmapName, ChangeId, DiskName, Epoch, PointId } from './ids.js';

/** A point in time of the current chain. */
export interface PitInfo {
  /** UUID of the point in time. */
  pit: PointId;
  /** Sequence number in its epoch, from 1. */
  sequence: number;
  /** Its name in the disk's history. */
  changeId: ChangeId;
  /** Bytes per bit of its segment. */
  granularityBytes: number;
  /** True for the newest: its segment takes the writes. */
  recording: boolean;
  /** Bytes changed from this point to the next (or up to now), as told at the granularity; null when not readable. */
  changedBytes: number | null;
}

/** A bitmap that is not ours, as it lies in the image; it is never changed, and may be asked by its name. */
export interface ForeignInfo {
  /** Its name. */
  name: BitmapName;
  /** The point in time that the name spells, null when it is no UUID. */
  pit: PointId | null;
  /** The image that it is in. */
  layer: string;
  /** Bytes per bit. */
  granularityBytes: number;
  /** Whether writes are recorded in it. */
  recording: boolean;
  /** Whether QEMU ended without storing it, so that it tells nothing. */
  inconsistent: boolean;
}

/** `untracked`: no segment of ours. `recording`: every point answers. `overlay`: answers are wider. `lost`: see problems. */
export type TrackingState = 'untracked' | 'recording' | 'overlay' | 'lost';

/** The points in time of a disk, and what stands beside or against them. */
export interface PitList {
  /** Name of the disk. */
  disk: DiskName;
  /** Size of the disk. */
  sizeBytes: number;
  /** The disk's history; null where it is not tracked. */
  epoch: Epoch | null;
  /** Whether writes are recorded. */
  state: TrackingState;
  /** Oldest first. */
  pits: PitInfo[];
  /** Bitmaps that are nobody's points in time. */
  foreign: ForeignInfo[];
  /** Why points cannot answer. */
  problems: Problem[];
  /** Facts about the layers worth knowing that change no answer. */
  notes: string[];
}

export function listForeign(state: DiskState, catalogue: Catalogue): ForeignInfo[] {
  return catalogue.foreign.map(({ info, pit, layer }) => ({
    name: info.name,
    pit,
    layer: state.layers[layer]?.label ?? '',
    granularityBytes: info.granularityBytes,
    recording: info.recording,
    inconsistent: info.inconsistent,
  }));
}

export function trackingState(state: DiskState, catalogue: Catalogue): TrackingState {
  const chain = currentChain(catalogue);
  if (chain === null) return 'untracked';
  if (findLoss(state, catalogue, chain) !== null) return 'lost';
  return chain.layer === 0 ? 'recording' : 'overlay';
}
