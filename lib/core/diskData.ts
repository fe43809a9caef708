/**
 * The port to a disk's bytes: reads and writes of whole range lists. The NBD backend serves it, for exports of a running
 * QEMU and for image files alike.
 */
import type { RangePager, Ranges } from './rangePage.js';

export interface DiskDataCallOptions {
  signal?: AbortSignal;
}

export interface DiskDataReadOptions extends DiskDataCallOptions {
  /** Largest request, 512 bytes to 32 MiB. */
  chunkBytes?: number;
}

export interface DiskDataStreamOptions extends DiskDataReadOptions {
  /** Most bytes read ahead. */
  queueBytes?: number;
  /** A piece's memory is the reader's only until it asks for the next piece; much faster for readers that can do so. */
  lend?: boolean;
}

export interface DiskDataWriteOptions extends DiskDataCallOptions {
  /** On stable storage before the call is done. */
  forceUnitAccess?: boolean;
}

/** Bytes of the disk at an offset. */
export interface DiskPiece {
  offset: number;
  data: Uint8Array;
}

export interface DiskData extends AsyncDisposable {
  readonly info: { readonly sizeBytes: number; readonly readOnly: boolean };
  read(offset: number, length: number, options?: DiskDataReadOptions): Promise<Buffer>;
  /** The bytes of the ranges, one range behind the other, at most 4 GiB. */
  readRanges(ranges: Ranges, options?: DiskDataReadOptions): Promise<Buffer>;
  readRanges<Into extends Uint8Array>(
    ranges: Ranges,
    options: DiskDataReadOptions & { into: Into },
  ): Promise<Into>;
  /** Pieces of the ranges in order of offset. */
  stream(
    ranges: Ranges,
    options?: DiskDataStreamOptions,
  ): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined>;
  write(offset: number, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void>;
  writeRanges(ranges: Ranges, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void>;
  writeStream(
    source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
    options?: DiskDataWriteOptions & { queueBytes?: number },
  ): Promise<number>;
  zero(ranges: Ranges, options?: DiskDataWriteOptions & { keepAllocated?: boolean }): Promise<void>;
  trim(ranges: Ranges, options?: DiskDataWriteOptions): Promise<void>;
  flush(options?: DiskDataCallOptions): Promise<void>;
  /** Where a negotiated context says what is wanted; the context must not change meanwhile. */
  pager(context: string, wanted: 'dirty' | 'data' | 'zero' | 'allocated' | 'top'): RangePager;
  close(): Promise<void>;
}
