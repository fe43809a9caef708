/** A disk's bytes whose calls are checked, and have each caller's own deadline beside his signal. */
import type { CallOptions } from './callOptions.js';
import { closing } from './closing.js';
import type {
  DiskData,
  DiskDataCallOptions,
  DiskDataInfo,
  DiskDataReadOptions,
  DiskDataStreamOptions,
  DiskDataWriteOptions,
  DiskPiece,
  LentPiece,
  OpenDataOptions,
} from './diskData.js';
import { invalidArgument } from './errors.js';
import {
  abortSignal,
  byteCount,
  bytes,
  type Check,
  type Checks,
  callback,
  checkOptions,
  flag,
  integer,
  listOf,
  milliseconds,
  text,
} from './options.js';
import { type RangePager, type Ranges, requireFlat } from './rangePage.js';
import { within } from './within.js';
import { withinEach } from './withinEach.js';

const CALL: Checks<CallOptions> = { signal: abortSignal, timeoutMs: milliseconds };
/** As native/nbd/include/cbt/nbd/limits.hpp has them. */
const CHUNK = integer(512, 32 << 20);
const QUEUE = integer(1, 1 << 30);
const iterable: Check = (value, name) => {
  const { [Symbol.iterator]: now, [Symbol.asyncIterator]: later } = Object(value) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  if (typeof value !== 'object' || (typeof now !== 'function' && typeof later !== 'function'))
    throw invalidArgument(name, value, 'pieces, one after the other');
};
const READ: Checks<DiskDataReadOptions> = { ...CALL, chunkBytes: CHUNK };
const READ_INTO: Checks<DiskDataReadOptions & { into?: Uint8Array }> = { ...READ, into: bytes };
const STREAM: Checks<DiskDataStreamOptions> = { ...READ, queueBytes: QUEUE };
const WRITE: Checks<DiskDataWriteOptions> = { ...CALL, forceUnitAccess: flag };
const WRITE_STREAM: Checks<DiskDataWriteOptions & { queueBytes?: number }> = {
  ...WRITE,
  queueBytes: QUEUE,
};
const ZERO: Checks<DiskDataWriteOptions & { keepAllocated?: boolean }> = { ...WRITE, keepAllocated: flag };

/** The checks of its options, for whoever takes them too. */
export const openDataChecks: Checks<OpenDataOptions> = {
  ...CALL,
  contexts: listOf(text),
  connections: integer(1, 16),
  connectTimeoutMs: milliseconds,
  requestTimeoutMs: integer(0, 2 ** 31 - 1),
};

/** Opens a disk's bytes with the caller's own time, and gives them with the same for each call on them. */
export async function openBounded(
  options: OpenDataOptions | undefined,
  open: (options: OpenDataOptions | undefined) => Promise<DiskData>,
): Promise<DiskData> {
  checkOptions('openData', options, openDataChecks);
  return new BoundedData(await within('openData', options, open));
}

export class BoundedData implements DiskData {
  readonly info: DiskDataInfo;
  readonly #data: DiskData;

  constructor(data: DiskData) {
    this.#data = data;
    this.info = data.info;
  }

  async read(offset: number, length: number, options?: DiskDataReadOptions): Promise<Buffer> {
    byteCount(offset, 'offset');
    byteCount(length, 'length');
    checkOptions('read', options, READ);
    return within('read', options, (own) => this.#data.read(offset, length, own));
  }

  readRanges(ranges: Ranges, options?: DiskDataReadOptions): Promise<Buffer>;
  readRanges<Into extends Uint8Array>(
    ranges: Ranges,
    options: DiskDataReadOptions & { into: Into },
  ): Promise<Into>;
  async readRanges(
    ranges: Ranges,
    options?: DiskDataReadOptions & { into?: Uint8Array },
  ): Promise<Uint8Array> {
    requireFlat('ranges', ranges);
    checkOptions('readRanges', options, READ_INTO);
    return within('readRanges', options, (own): Promise<Uint8Array> => {
      const into = own?.into;
      return into === undefined
        ? this.#data.readRanges(ranges, own)
        : this.#data.readRanges(ranges, { ...own, into });
    });
  }

  stream(
    ranges: Ranges,
    options: DiskDataStreamOptions = {},
  ): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined> {
    requireFlat('ranges', ranges);
    checkOptions('stream', options, STREAM);
    if (options.timeoutMs === undefined) return this.#data.stream(ranges, options);
    return withinEach('the stream', options, (own) => this.#data.stream(ranges, own));
  }

  async forEachPiece(
    ranges: Ranges,
    work: (piece: LentPiece) => Promise<unknown>,
    options?: DiskDataStreamOptions,
  ): Promise<number> {
    requireFlat('ranges', ranges);
    callback(work, 'work');
    checkOptions('forEachPiece', options, STREAM);
    return within('forEachPiece', options, (own) => this.#data.forEachPiece(ranges, work, own));
  }

  async write(offset: number, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void> {
    byteCount(offset, 'offset');
    bytes(data, 'data');
    checkOptions('write', options, WRITE);
    return within('write', options, (own) => this.#data.write(offset, data, own));
  }

  async writeRanges(ranges: Ranges, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void> {
    requireFlat('ranges', ranges);
    bytes(data, 'data');
    checkOptions('writeRanges', options, WRITE);
    return within('writeRanges', options, (own) => this.#data.writeRanges(ranges, data, own));
  }

  async writeStream(
    source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
    options?: DiskDataWriteOptions & { queueBytes?: number },
  ): Promise<number> {
    iterable(source, 'source');
    checkOptions('writeStream', options, WRITE_STREAM);
    return within('writeStream', options, (own) => this.#data.writeStream(piecesOf(source), own));
  }

  async zero(ranges: Ranges, options?: DiskDataWriteOptions & { keepAllocated?: boolean }): Promise<void> {
    requireFlat('ranges', ranges);
    checkOptions('zero', options, ZERO);
    return within('zero', options, (own) => this.#data.zero(ranges, own));
  }

  async trim(ranges: Ranges, options?: DiskDataWriteOptions): Promise<void> {
    requireFlat('ranges', ranges);
    checkOptions('trim', options, WRITE);
    return within('trim', options, (own) => this.#data.trim(ranges, own));
  }

  async flush(options?: DiskDataCallOptions): Promise<void> {
    checkOptions('flush', options, CALL);
    return within('flush', options, (own) => this.#data.flush(own));
  }

  pager(...asked: Parameters<DiskData['pager']>): RangePager {
    return this.#data.pager(...asked);
  }

  close(options?: CallOptions): Promise<void> {
    return closing('close', options, () => this.#data.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What a program's own source gives is looked at before it is written. */
async function* piecesOf(
  source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
): AsyncGenerator<DiskPiece, void, undefined> {
  for await (const piece of source) {
    const { offset, data } = (piece ?? {}) as Partial<DiskPiece>;
    byteCount(offset, 'the offset of a piece of source');
    bytes(data, 'the data of a piece of source');
    yield piece;
  }
}
