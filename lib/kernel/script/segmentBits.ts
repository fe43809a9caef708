/**
 * One bitmap as a query reads it: its bytes in runs that are clean, dirty or must be looked at, and those folded to the
 * query's granularity. A cluster that its table calls clean or dirty costs no read and no memory.
 *
 *   table   | 0 | 0 | offset | offset | 1 | 1 |  (past the end: clean)
 *   runs    | clean |      mixed      | dirty |   clean …
 */
import {
  type BitmapSegment,
  CLUSTER_ALL_CLEAN,
  CLUSTER_ALL_DIRTY,
  type StoredBits,
} from '../../core/bitmapKernel.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import { checkGranularity, MAX_DISK_BYTES } from '../../core/rangePage.js';
import { foldBits, setBits } from './bits.js';
import { checkFd, readUpTo } from './fileReader.js';
import { MAX_CLUSTER_BYTES, MIN_CLUSTER_BYTES, READ_BYTES } from './limits.js';
import type { Pace } from './pace.js';
import { takeBytes, takeNumbers } from './snapshots.js';

/** Bits of a bitmap that are looked at in one piece, where a coarse bit does not hold more. */
const PIECE_BITS = 1 << 20;

type RunKind = 'clean' | 'dirty' | 'mixed';

/** A stretch of the bitmap's bytes. */
interface ByteRun {
  kind: RunKind;
  firstByte: number;
  endByte: number;
}

/** Bytes of a bitmap by byte number; only bytes of the query are ever asked for. */
interface ByteSource {
  /** The run that holds the byte. */
  runAt(byte: number): ByteRun;
  /** Bytes of a mixed run; fewer than asked are fine, at least one comes. */
  read(firstByte: number, endByte: number): Promise<Uint8Array>;
}

export class SegmentBits {
  readonly #fold: number;
  readonly #source: ByteSource;

  /** Takes what coarse bits [firstBit, endBit) need of the segment, at the call. */
  constructor(name: string, segment: BitmapSegment, coarseBytes: number, firstBit: number, endBit: number) {
    this.#fold = coarseBytes / segment.granularityBytes;
    const firstByte = Math.floor((firstBit * this.#fold) / 8);
    const endByte = Math.ceil((endBit * this.#fold) / 8);
    const { bits } = segment;
    if (bits.kind === 'memory') {
      const bytes = takeBytes(`${name}.bits.bytes`, bits.bytes, firstByte, endByte);
      this.#source = memorySource(bytes, firstByte);
    } else {
      this.#source = new StoredSource(`${name}.bits`, bits, firstByte, endByte);
    }
  }

  /** End of the clean coarse bits from `bit` on; `bit` itself when it may be dirty. */
  cleanUntil(bit: number): number {
    const run = this.#source.runAt(Math.floor((bit * this.#fold) / 8));
    // A coarse bit of which only the first part is known to be clean does not count.
    return run.kind === 'clean' ? Math.max(bit, Math.floor((run.endByte * 8) / this.#fold)) : bit;
  }

  /** End of the dirty coarse bits from `bit` on, as far as the table tells; `bit` itself when it does not. */
  dirtyUntil(bit: number): number {
    const run = this.#source.runAt(Math.floor((bit * this.#fold) / 8));
    return run.kind === 'dirty' ? Math.ceil((run.endByte * 8) / this.#fold) : bit;
  }

  /**
   * Where a piece that begins at coarse bit `bit` should end for this segment's sake: with its clean bits, or before much
   * of what is mixed would be read ahead of the page. It holds a bit at least.
   */
  pieceEnd(bit: number): number {
    const clean = this.cleanUntil(bit);
    return clean > bit ? clean : Math.floor(bit / 8) * 8 + Math.max(8, PIECE_BITS / this.#fold);
  }

  /** ORs coarse bits [first, end) into `target`, whose bit 0 is `base`: `first` rounded down to a multiple of 8. */
  async orInto(target: Uint8Array, base: number, first: number, end: number, pace: Pace): Promise<void> {
    const fold = this.#fold;
    const endByte = Math.ceil((end * fold) / 8);
    for (let byte = Math.floor((first * fold) / 8); byte < endByte; ) {
      const run = this.#source.runAt(byte);
      let stop = Math.min(run.endByte, endByte);
      if (run.kind === 'dirty') {
        const from = Math.max(Math.floor((byte * 8) / fold), base);
        setBits(target, from - base, Math.min(Math.ceil((stop * 8) / fold), end) - base);
      } else if (run.kind === 'mixed') {
        const bytes = await this.#source.read(byte, Math.min(stop, byte + READ_BYTES));
        pace.check();
        foldBits(bytes, byte * 8, fold, target, base);
        stop = byte + bytes.length;
        if (pace.spent(bytes.length / 4)) await pace.rest();
      }
      byte = stop;
    }
  }
}

/** Checks what can be checked of a segment before its bits are looked at. */
export function checkSegment(name: string, segment: BitmapSegment): void {
  checkGranularity(`${name}.granularityBytes`, segment.granularityBytes);
  const { bits } = segment;
  if (bits.kind === 'memory') return;
  if (bits.kind !== 'stored') {
    throw invalidArgument(`${name}.bits.kind`, (bits as { kind: unknown }).kind, '"memory" or "stored"');
  }
  checkFd(`${name}.bits.fd`, bits.fd);
  const { clusterBytes } = bits;
  const inLimits = clusterBytes >= MIN_CLUSTER_BYTES && clusterBytes <= MAX_CLUSTER_BYTES;
  if (!inLimits || clusterBytes % MIN_CLUSTER_BYTES !== 0) {
    throw invalidArgument(
      `${name}.bits.clusterBytes`,
      clusterBytes,
      `a multiple of ${MIN_CLUSTER_BYTES} from ${MIN_CLUSTER_BYTES} to ${MAX_CLUSTER_BYTES}`,
    );
  }
}

function memorySource(bytes: Uint8Array, firstByte: number): ByteSource {
  const endByte = firstByte + bytes.length;
  return {
    runAt: (byte) =>
      byte < endByte
        ? { kind: 'mixed', firstByte, endByte }
        : { kind: 'clean', firstByte: endByte, endByte: Number.POSITIVE_INFINITY },
    read: async (first, end) => bytes.subarray(first - firstByte, end - firstByte),
  };
}

class StoredSource implements ByteSource {
  readonly #name: string;
  readonly #fd: number;
  readonly #clusterBytes: number;
  readonly #firstCluster: number;
  /** Entries from `#firstCluster` on. */
  readonly #table: Float64Array;
  #run: ByteRun = { kind: 'clean', firstByte: 0, endByte: 0 };

  constructor(name: string, bits: StoredBits, firstByte: number, endByte: number) {
    this.#name = name;
    this.#fd = bits.fd;
    this.#clusterBytes = bits.clusterBytes;
    this.#firstCluster = Math.floor(firstByte / bits.clusterBytes);
    const endCluster = Math.ceil(endByte / bits.clusterBytes);
    this.#table = takeNumbers(`${name}.table`, bits.table, this.#firstCluster, endCluster);
  }

  runAt(byte: number): ByteRun {
    // Asked for again while one bitmap waits for another: the table is walked once all the same.
    if (byte >= this.#run.firstByte && byte < this.#run.endByte) return this.#run;
    const first = Math.floor(byte / this.#clusterBytes);
    const kind = this.#kindOf(first);
    const tableEnd = this.#firstCluster + this.#table.length;
    let end = first + 1;
    while (end < tableEnd && this.#kindOf(end) === kind) end += 1;
    const last = first >= tableEnd ? Number.POSITIVE_INFINITY : end;
    this.#run = { kind, firstByte: first * this.#clusterBytes, endByte: last * this.#clusterBytes };
    return this.#run;
  }

  async read(firstByte: number, endByte: number): Promise<Uint8Array> {
    const cluster = Math.floor(firstByte / this.#clusterBytes);
    const start = cluster * this.#clusterBytes;
    const offset = this.#offsetOf(cluster);
    const length = Math.min(endByte, start + this.#clusterBytes) - firstByte;
    const at = offset + firstByte - start;
    const bytes = await readUpTo(this.#fd, at, length, `bitmap cluster ${cluster} (${this.#name})`);
    if (bytes.length === length) return bytes;
    throw new CbtError(
      'ERR_CBT_CORRUPT_IMAGE',
      `bitmap cluster ${cluster} (${this.#name}) at byte ${offset} reaches past the end of the file (${at + bytes.length} bytes)`,
      { details: { cluster, offsetBytes: offset, fileBytes: at + bytes.length } },
    );
  }

  #entry(cluster: number): number {
    return this.#table[cluster - this.#firstCluster] ?? CLUSTER_ALL_CLEAN;
  }

  #kindOf(cluster: number): RunKind {
    const entry = this.#entry(cluster);
    if (entry === CLUSTER_ALL_CLEAN) return 'clean';
    return entry === CLUSTER_ALL_DIRTY ? 'dirty' : 'mixed';
  }

  #offsetOf(cluster: number): number {
    const entry = this.#entry(cluster);
    const most = MAX_DISK_BYTES - this.#clusterBytes;
    if (Number.isInteger(entry) && entry >= 0 && entry <= most) return entry;
    const expected = `0, 1 or a byte offset of at most ${most}`;
    throw invalidArgument(`${this.#name}.table[${cluster}]`, entry, expected);
  }
}
