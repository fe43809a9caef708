/**
 * The port of the bulk work: bits to ranges, ranges to bits, and the algebra of range lists. Two implementations stand
 * behind it, the native addon and its plain TypeScript twin (oracle and fallback); one contract suite holds both.
 *
 * Every operation checks its arguments and rejects with `ERR_CBT_INVALID_ARGUMENT`, whose `details.argument` is the path
 * of the culprit in the names below (`startBytes`, `a[3]`, `segments[2].bits.table[7]`); reading a file can also end in
 * `ERR_CBT_CORRUPT_IMAGE` (a cluster is past the end of the file) or `ERR_CBT_BACKEND_UNAVAILABLE` (the read failed).
 *
 * Arrays are taken as they are at the call: what the caller does to them afterwards changes no answer (memory that is
 * shared between threads excepted: a write meanwhile may or may not be seen). A view of a detached buffer, or one that
 * no longer fits its resized buffer, is refused: its zero length must not pass for "nothing".
 *
 * Work is done up to the page's end and may go on a little behind it; what is found wrong there may fail the page. What
 * cannot change the answer need not be read: a cluster of one segment below an all-dirty stretch of another, say.
 * When its signal is aborted before its promise is settled, an operation rejects with `ERR_CBT_ABORTED`, soon, and even if
 * the answer was found meanwhile. An answer is at most 2^28 ranges or 2^32 bytes of bits;
 * a larger one is `ERR_CBT_UNSUPPORTED` (ask page by page).
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
  /**
   * Bytes per table entry; a power of two, 512 bytes to 2 MiB for qcow2, any multiple of 512 for Parallels. The kernel
   * takes multiples of 512 up to 2^41 (a 32-bit number of sectors).
   */
  clusterBytes: number;
  /**
   * One entry per cluster of bits: 0, 1, or a byte offset in the file (an integer; with `clusterBytes` below 2^53). An
   * entry is checked when it is reached. Clusters past the table's end are clean. Only the bytes that the window needs
   * must lie in the file; one of them past its end is `ERR_CBT_CORRUPT_IMAGE`.
   */
  table: Float64Array;
}

/** One dirty bitmap: bit n covers disk bytes [n * granularityBytes, (n + 1) * granularityBytes). */
export interface BitmapSegment {
  granularityBytes: number;
  bits: MemoryBits | StoredBits;
}

/**
 * What a cluster of the disk is, for an allocation query: 'data' is what `qemu-img map` shows as `data: true` of this
 * layer, 'allocated' is that and explicit zeros.
 *
 * An L2 entry says (QEMU docs/interop/qcow2.txt; `qcow2_get_subcluster_type` in block/qcow2.h):
 *
 *   compressed flag (bit 62)            data; offset and length are not looked at
 *   zero flag (bit 0)                   zeros, with or without a host offset
 *   host offset (bits 9-55) not 0       data
 *   host offset 0                       unallocated; data with an external data file and the copied flag (bit 63)
 *   extended, not compressed            per subcluster n of the second word: bit n data, bit 32 + n zeros, neither:
 *                                       unallocated
 *
 * and is `ERR_CBT_CORRUPT_IMAGE` with details `l1Index`, `l2Index` and `value` (each word as 0x and 16 hex digits, the
 * second word behind a space) when it has:
 *
 *   - the compressed flag in an image with an external data file, or with a second word other than 0;
 *   - and otherwise: a reserved bit (1-8, 56-61) set; the zero flag in version 2 or in an extended entry; a host offset
 *     within a cluster; a host offset at or past `fileBytes` (without an external data file); in an image with an
 *     external data file, a host cluster (host offset not 0, or the copied flag without the zero flag) at another offset
 *     than the guest's;
 *   - a subcluster both data and zeros, or data without a host cluster.
 *
 * Only entries of clusters that the window touches are looked at.
 */
export type ClusterClass = 'data' | 'allocated';

/** The allocation tables of one qcow2 layer. All offsets in bytes; the caller has checked the L1 entries. */
export interface ClusterTables {
  /** Open for reading; the file that holds the tables. */
  fd: number;
  /** 9 to 21; from 14 with extended L2 entries, whose subclusters are no smaller than a sector. */
  clusterBits: number;
  /** 16-byte L2 entries with 32 subclusters each (incompatible feature bit 4). */
  extendedL2: boolean;
  /** Header version; 2 has no zero flag, and neither extended L2 entries nor an external data file. */
  version: 2 | 3;
  /** Guest clusters live in an external data file: an entry at offset 0 with the copied flag is allocated. */
  externalData: boolean;
  /**
   * Offset of each L2 table in the file; 0 = none. It must name the table of every cluster that the window touches, or
   * the call is refused before anything is read. A table within a cluster or (in part) past the end of the file is
   * `ERR_CBT_CORRUPT_IMAGE` with detail `l1Index`.
   */
  l1: Float64Array;
  /** Size of the file: tables and uncompressed host clusters that start at or beyond it are corrupt. */
  fileBytes: number;
}

/** Who else holds an image open, told by QEMU's OFD lock bytes. */
export interface LockState {
  /** A process holds the image open for writing (byte 101, or 103 for resize, is locked). */
  writer: boolean;
  /** A process forbids writers (byte 201): a reader, the file is stable. */
  writersForbidden: boolean;
}

/** What stands around the two numbers of a range in text; each at most {@link MAX_STYLE_BYTES} bytes of UTF-8. */
export interface RangeStyle {
  before: string;
  between: string;
  after: string;
}

export const MAX_STYLE_BYTES = 64;

export interface BitmapKernel {
  /** 'native' or 'script'. */
  readonly name: 'native' | 'script';
  /** Which code runs: 'avx2', 'portable' or 'script'. */
  readonly path: string;

  /**
   * OR of the segments, at the coarsest granularity among them and `granularityBytes` (widening outward), as ranges
   * clipped to the window; the window's end is the disk size, or less. No segment: no range. O(words + ranges).
   * A bit behind the window's end counts when it shares a granule of the answer with the window. At most 65535 segments.
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
   * be a multiple of the granularity. ceil((end - start) / g) bits, spare bits of the last byte zero. Nothing outside the
   * window paints, even where it shares the last granule.
   */
  paintRanges(
    ranges: Ranges,
    granularityBytes: number,
    window: Omit<Window, 'maxRanges'>,
  ): Promise<Uint8Array>;

  /**
   * Ranges as ASCII decimal text: `before`, offset, `between`, length, `after` for each, in order. O(bytes of text), at
   * most 4 GiB of it.
   */
  formatRanges(ranges: Ranges, style: RangeStyle, signal?: AbortSignal): Promise<Uint8Array>;

  /** Ranges of the window whose clusters are of the class: 'data', or 'allocated' (data or explicit zeros). */
  scanClusters(tables: ClusterTables, wanted: ClusterClass, window: Window): Promise<RangePage>;

  /**
   * Data of a raw file by SEEK_DATA and SEEK_HOLE; where the file system or the kernel cannot tell, all of it. Nothing at
   * or past the file's end. The descriptor's position stays where it is.
   */
  scanFileData(fd: number, window: Window): Promise<RangePage>;

  /**
   * Asks, without taking any lock, who holds the file. Locks taken through the same open file description may or may not
   * show. Throws `ERR_CBT_UNSUPPORTED` where it cannot be known.
   */
  lockState(fd: number): Promise<LockState>;

  /**
   * Takes the locks of a QEMU that shares the image with nobody, so that none opens it meanwhile; false where somebody has it. They are held
   * until every descriptor of this open file is closed. Absent where locks cannot be taken. Throws `ERR_CBT_UNSUPPORTED` where the file
   * system has none.
   */
  holdImage?(fd: number): Promise<boolean>;

  union(a: Ranges, b: Ranges, window: Window): Promise<RangePage>;
  intersect(a: Ranges, b: Ranges, window: Window): Promise<RangePage>;
  /** What is in `a` and not in `b`. */
  subtract(a: Ranges, b: Ranges, window: Window): Promise<RangePage>;
  clip(ranges: Ranges, window: Window): Promise<RangePage>;
  /** Every range widened outward to multiples of the granularity, merged, clipped to the window. */
  align(ranges: Ranges, granularityBytes: number, window: Window): Promise<RangePage>;
  /**
   * Ranges clipped to the window, then each cut from its clipped start on so that no piece is longer than `maxBytes`
   * (an integer from 1): the one answer whose neighbours may touch.
   */
  split(ranges: Ranges, maxBytes: number, window: Window): Promise<RangePage>;
}
