/**
 * The port every backend implements: what a disk is, which bitmaps its layers carry, and their ranges. It says what it
 * sees and judges nothing; whether a chain may answer is decided in `chain.ts` and `changeQuery.ts` alone.
 */
import type { CbtError, Problem } from './errors.js';
import type { DiskName } from './ids.js';
import type { RangePager } from './rangePage.js';

/** One dirty bitmap as its backend shows it. */
export interface BitmapInfo {
  /** The exact name, any bytes QEMU allows (1 to 1023 bytes of UTF-8). */
  name: string;
  granularityBytes: number;
  /** Live: `recording`. Offline: the `auto` flag, which makes QEMU record again at the next open. */
  recording: boolean;
  /** Live: `inconsistent`. Offline: `in_use` while nobody holds the image. */
  inconsistent: boolean;
  /** Survives a clean stop of QEMU. Always true offline. */
  persistent: boolean;
  /** Held by an export or a job right now; live only. */
  busy: boolean;
  /** Bytes that it says changed, whole granules, where the backend knows without reading; live only. */
  dirtyBytes?: number;
  /** Set when this bitmap cannot be read although its neighbours can; names field, value, limit. */
  problem?: Problem;
}

/** One layer of a disk's stack of images. */
export interface LayerState {
  /** Path or node name, for messages. */
  label: string;
  sizeBytes: number;
  /** Format as QEMU names it: 'qcow2', 'raw', 'parallels'. */
  format: string;
  bitmaps: readonly BitmapInfo[];
  /** True when bitmaps made here end with the QEMU process (raw images, live); absent or false otherwise. */
  volatile?: boolean;
  /** Facts worth telling that change no answer (encrypted, stale reference counts, …). */
  notes?: readonly string[];
  /** Set when no bitmap of this layer can be trusted (autoclear bit unset, qcow2 version 2, …). */
  problem?: Problem;
  /** Names of bitmaps that count for nothing any more: they tell which disk it was, and no more than that. */
  voided?: readonly string[];
}

/** A disk at one moment. */
export interface DiskState {
  /** The disk as the caller named it. */
  disk: DiskName;
  /** Size of the top layer. */
  sizeBytes: number;
  live: boolean;
  /** Top layer first; at least one. */
  layers: readonly LayerState[];
}

/** Names a bitmap on a layer (index into `DiskState.layers`). */
export interface BitmapRef {
  layer: number;
  name: string;
}

/** As {@link DiskSource.bitmapRanges}. */
export type BitmapReader = (
  bitmaps: readonly BitmapRef[],
  granularityBytes: number,
  signal?: AbortSignal,
) => Promise<RangePager>;

export interface DiskSource {
  readonly disk: DiskName;
  /** Reads the state afresh; never cached across calls. Throws when the disk must not be trusted at all (`BUSY`). */
  state(signal?: AbortSignal): Promise<DiskState>;
  /**
   * OR of the bitmaps, at no finer than `granularityBytes`. Everything that can be checked before the first page is
   * checked here, so that a refused bitmap never follows a half-told answer.
   */
  bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager>;
  /**
   * Runs questions about many bitmaps on one reading of the disk, where reading it afresh for each would cost more than
   * the bits; absent where it costs nothing. What `work` found out holds once this resolves, and not before.
   */
  onOneReading?<T>(work: (bitmapRanges: BitmapReader) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /**
   * What holds data as seen from the top through every layer (`layers` left out), or what the first `layers` layers
   * have allocated themselves, explicit zeros included (the writes an overlay took).
   */
  allocatedRanges(layers?: number, signal?: AbortSignal): Promise<RangePager>;
  /** `why`: what it is of is lost, and later questions say so. */
  close(why?: CbtError): Promise<void>;
}
