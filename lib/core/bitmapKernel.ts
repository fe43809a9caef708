/**
 * The port of the bulk work: bits to ranges, ranges to bits, and the algebra of range lists. Two implementations stand
 * behind it, the native addon and its plain TypeScript twin (oracle and fallback); one contract suite holds both.
 *
 * Every operation checks its arguments and throws `ERR_CBT_INVALID_ARGUMENT`; reading a file can also end in
 * `ERR_CBT_CORRUPT_IMAGE` (a cluster is past the end of the file) or `ERR_CBT_BACKEND_UNAVAILABLE` (the read failed).
 */
import type { RangePage, Ranges, Window } from './rangePage.js';

/** Bits in memory: bit n is in byte n >> 3, mask 1 << (n & 7). Bytes past its end are clean. */
export interface MemoryBits {
  kind: 'memory';
  bytes: Uint8Array;
}

/** Table entry: every bit of the cluster is clean / dirty. Any other entry is a byte offset in the file. */
export const CLUSTER_ALL_CLEAN = 0;
export const CLUSTER_ALL_DIRTY = 1;

/** Bits in the clusters of an open file, as qcow2 and Parallels images store them. */
export interface StoredBits {
  kind: 'stored';
  /** Open for reading; stays the caller's and must stay open until the call is done. */
  fd: number;
  /** Bytes per table entry; a power of two, 512 bytes to 2 MiB for qcow2, any multiple of 512 for Parallels. */
  clusterBytes: number;
  /** One entry per cluster of bits: 0, 1, or a byte offset in the file. Clusters past the table's end are clean. */
  table: Float64Array;
}

/** One dirty bitmap: bit n covers disk bytes [n * granularityBytes, (n + 1) * granularityBytes). */
export interface BitmapSegment {
  granularityBytes: number;
  bits: MemoryBits | StoredBits;
}

/** What a cluster of the disk is, for an allocation query. */
export type ClusterClass = 'data' | 'allocated';

/** The allocation tables of one qcow2 layer. All offsets in bytes; the caller has checked the L1 entries. */
export interface ClusterTables {
  /** Open for reading; the file that holds the tables. */
  fd: number;
  /** 9 to 21. */
  clusterBits: number;
  /** 16-byte L2 entries with 32 subclusters each (incompatible feature bit 4). */
  extendedL2: boolean;
  /** Header version; 2 has no zero flag. */
  version: 2 | 3;
  /** Guest clusters live in an external data file: an entry at offset 0 with the copied flag is allocated. */
  externalData: boolean;
  /** Offset of each L2 table in the file; 0 = none. */
  l1: Float64Array;
  /** Size of the file: tables and uncompressed host clusters beyond it (cluster-rounded) are corrupt. */
  fileBytes: number;
}

/** Who else holds an image open, told by QEMU's OFD lock bytes. */
export interface LockState {
  /** A process holds the image open for writing (byte 101, or 103 for resize, is locked). */
  writer: boolean;
  /** A process forbids writers (byte 201): a reader, the file is stable. */
  writersForbidden: boolean;
}

export interface BitmapKernel {
  /** 'native' or 'script'. */
  readonly name: 'native' | 'script';
  /** Which code runs: 'avx2', 'portable' or 'script'. */
  readonly path: string;

  /**
   * OR of the segments, at the coarsest granularity among them and `granularityBytes` (widening outward), as ranges
   * clipped to the window; the window's end is the disk size. No segment: no range. O(words + ranges).
   */
  scanBitmaps(
    segments: readonly BitmapSegment[],
    granularityBytes: number,
    window: Window,
  ): Promise<RangePage>;

  /** Bytes that `scanBitmaps` would list in the window, without building a range. */
  countBitmaps(
    segments: readonly BitmapSegment[],
    granularityBytes: number,
    window: Omit<Window, 'maxRanges'>,
  ): Promise<number>;

  /**
   * Ranges painted as bits: bit n set when any byte of [start + n*g, start + (n+1)*g) is in a range; `startBytes` must
   * be a multiple of the granularity. ceil((end - start) / g) bits, spare bits of the last byte zero.
   */
  paintRanges(
    ranges: Ranges,
    granularityBytes: number,
    window: Omit<Window, 'maxRanges'>,
  ): Promise<Uint8Array>;

  /** Ranges of the window whose clusters are of the class: 'data', or 'allocated' (data or explicit zeros). */
  scanClusters(tables: ClusterTables, wanted: ClusterClass, window: Window): Promise<RangePage>;

  /** Data of a raw file by SEEK_DATA and SEEK_HOLE; where the file system cannot tell, all of it. */
  scanFileData(fd: number, window: Window): Promise<RangePage>;

  /** Asks, without taking any lock, who holds the file. Throws `ERR_CBT_UNSUPPORTED` where it cannot be known. */
  lockState(fd: number): Promise<LockState>;

  union(a: Ranges, b: Ranges, window: Window): Promise<RangePage>;
  intersect(a: Ranges, b: Ranges, window: Window): Promise<RangePage>;
  /** What is in `a` and not in `b`. */
  subtract(a: Ranges, b: Ranges, window: Window): Promise<RangePage>;
  clip(ranges: Ranges, window: Window): Promise<RangePage>;
  /** Every range widened outward to multiples of the granularity, merged, clipped to the window. */
  align(ranges: Ranges, granularityBytes: number, window: Window): Promise<RangePage>;
  /** Ranges cut so that none is longer than `maxBytes`: the one answer whose neighbours may touch. */
  split(ranges: Ranges, maxBytes: number, window: Window): Promise<RangePage>;
}
