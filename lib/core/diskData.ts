/**
 * The port to a disk's bytes: reads and writes of whole range lists. The NBD backend serves it, for exports of a running
 * QEMU and for image files alike.
 */
import type { CallOptions } from './callOptions.js';
import type { RangePager, Ranges } from './rangePage.js';

/**
 * A `signal` that fires ends the call with `ERR_CBT_ABORTED`, and `timeoutMs` with `ERR_CBT_TIMEOUT`, also when the server is silent. Where pieces are
 * given, each one has that time.
 */
export interface DiskDataCallOptions extends CallOptions {}

/** How a disk's bytes are reached, and watched. Times in milliseconds; `timeoutMs` is that of the opening. */
export interface OpenDataOptions extends CallOptions {
  /** Contexts to negotiate, such as `qemu:dirty-bitmap:NAME`; one that the export does not offer fails the opening. */
  contexts?: readonly string[] | undefined;
  /** Sockets to the server, 1 to 16; as many as it shares the export with, so 1 where it does not say that it can. */
  connections?: number | undefined;
  /** Milliseconds for connecting; 10 000 unless given. */
  connectTimeoutMs?: number | undefined;
  /** Ends the connection when requests wait and the server says nothing for so long; 0 for never. */
  requestTimeoutMs?: number | undefined;
}

/** What {@link DiskData.read} and {@link DiskData.readRanges} take. */
export interface DiskDataReadOptions extends DiskDataCallOptions {
  /** Largest request, 512 bytes to 32 MiB. */
  chunkBytes?: number | undefined;
}

/** What {@link DiskData.stream} and {@link DiskData.forEachPiece} take; 32 MiB are read ahead, in pieces of 256 KiB, unless given. */
export interface DiskDataStreamOptions extends DiskDataReadOptions {
  /** Most bytes read ahead. */
  queueBytes?: number | undefined;
}

/** What every call that changes the disk takes. */
export interface DiskDataWriteOptions extends DiskDataCallOptions {
  /** On stable storage before the call is done. */
  forceUnitAccess?: boolean | undefined;
}

/** Bytes of the disk at an offset. */
export interface DiskPiece {
  /** Bytes from the start of the disk. */
  offset: number;
  /** What is there. */
  data: Uint8Array;
}

/** A piece whose memory is used again when the work on it is done: `data` throws then, and a Buffer that was kept is empty. */
export interface LentPiece {
  /** Bytes from the start of the disk. */
  readonly offset: number;
  /** What is there, lent until the promise of the work is done. */
  readonly data: Buffer;
}

/** What an open disk is, and can do. */
export interface DiskDataInfo {
  /** Size of the disk. */
  readonly sizeBytes: number;
  /** Whether it is open for reading only. */
  readonly readOnly: boolean;
  /** Writes must be multiples of it, at multiples of it; 1 unless it says so. */
  readonly minBlockBytes?: number | undefined;
  /** Whether {@link DiskData.zero} works; it does unless it says so. */
  readonly canZero?: boolean | undefined;
}

/**
 * An open disk. Offsets and lengths in bytes; a range list is pairs of both. A failure is a `CbtError` that names the
 * target; what lies outside the disk is `ERR_CBT_INVALID_ARGUMENT`.
 */
export interface DiskData extends AsyncDisposable {
  /** Size of the disk, and what can be done with it. */
  readonly info: DiskDataInfo;
  /**
   * `length` bytes from `offset` on, all of them or an error.
   * @param offset Bytes from the start of the disk.
   * @param length Bytes.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  read(offset: number, length: number, options?: DiskDataReadOptions): Promise<Buffer>;
  /**
   * The bytes of the ranges, one range behind the other, at most 4 GiB.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  readRanges(ranges: Ranges, options?: DiskDataReadOptions): Promise<Buffer>;
  /** The same into the caller's memory, which must have exactly that size. */
  readRanges<Into extends Uint8Array>(
    ranges: Ranges,
    options: DiskDataReadOptions & { into: Into },
  ): Promise<Into>;
  /**
   * Pieces of the ranges in order of offset. Each is the reader's for good.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  stream(
    ranges: Ranges,
    options?: DiskDataStreamOptions,
  ): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined>;
  /**
   * Works on the same pieces, one after the other, and gives the bytes in all of them. Faster than `stream`, because a piece's
   * memory is only lent: until the promise of its work is done. What is needed for longer is copied; work that returns no
   * promise is refused. Where the work fails, its error is this call's; a `signal` that fires ends it after the piece in work.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param work Is lent each piece until its promise is done.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said, and what `work` throws.
   */
  forEachPiece(
    ranges: Ranges,
    work: (piece: LentPiece) => Promise<unknown>,
    options?: DiskDataStreamOptions,
  ): Promise<number>;
  /**
   * Writes all of `data`, as it is when this is called; on shared memory it must not change before the call is done. On
   * stable storage after `flush`.
   * @param offset Bytes from the start of the disk.
   * @param data The bytes.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  write(offset: number, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void>;
  /**
   * `data` cut up by the ranges, in their order; as long as they are together.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param data The bytes of all ranges, one after the other.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  writeRanges(ranges: Ranges, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void>;
  /**
   * Writes piece by piece, at most `queueBytes` on their way (32 MiB unless given); bytes written. Pieces must not overlap. A
   * piece's memory, unless it is shared, may be used again when the next is asked for.
   * @param source Pieces, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said, and what the source throws.
   */
  writeStream(
    source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
    options?: DiskDataWriteOptions & { queueBytes?: number | undefined },
  ): Promise<number>;
  /**
   * Makes the ranges read as zeros; with `keepAllocated` their space stays theirs.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  zero(
    ranges: Ranges,
    options?: DiskDataWriteOptions & { keepAllocated?: boolean | undefined },
  ): Promise<void>;
  /**
   * Says that the content of the ranges is not needed: afterwards they may read as anything.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: out of the disk, closed, or what the storage said.
   */
  trim(ranges: Ranges, options?: DiskDataWriteOptions): Promise<void>;
  /**
   * Brings every write that was done before to stable storage.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where it is not known that what was written is safe.
   */
  flush(options?: DiskDataCallOptions): Promise<void>;
  /**
   * Where a negotiated context says what is wanted; the context must not change meanwhile.
   * @param context A metadata context that was asked for when it was opened.
   * @param wanted What is told of it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a context that was not.
   */
  pager(context: string, wanted: 'dirty' | 'data' | 'zero' | 'allocated' | 'top'): RangePager;
  /**
   * Ends the connection; a qemu-nbd of ours ends too, and its failure to write back is this call's.
   * @param options Signal and deadline.
   * @throws `CbtError` where closing failed.
   */
  close(options?: CallOptions): Promise<void>;
}
