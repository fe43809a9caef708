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
import {
  abortSignal,
  anything,
  type Checks,
  callback,
  checkOptions,
  flag,
  integer,
  milliseconds,
} from './options.js';
import type { RangePager, Ranges } from './rangePage.js';
import { within } from './within.js';
import { withinEach } from './withinEach.js';

const CALL: Checks<CallOptions> = { signal: abortSignal, timeoutMs: milliseconds };
// Sizes are checked by whoever reads and writes by them.
const READ: Checks<DiskDataReadOptions> = { ...CALL, chunkBytes: anything };
const READ_INTO: Checks<DiskDataReadOptions & { into?: Uint8Array }> = { ...READ, into: anything };
const STREAM: Checks<DiskDataStreamOptions> = { ...READ, queueBytes: anything };
const WRITE: Checks<DiskDataWriteOptions> = { ...CALL, forceUnitAccess: flag };
const WRITE_STREAM: Checks<DiskDataWriteOptions & { queueBytes?: number }> = {
  ...WRITE,
  queueBytes: anything,
};
const ZERO: Checks<DiskDataWriteOptions & { keepAllocated?: boolean }> = { ...WRITE, keepAllocated: flag };

const OPEN: Checks<OpenDataOptions> = {
  ...CALL,
  contexts: anything,
  connections: integer(1, 16),
  connectTimeoutMs: milliseconds,
  requestTimeoutMs: integer(0, 2 ** 31 - 1),
};

/** Opens a disk's bytes with the caller's own time, and gives them with the same for each call on them. */
export async function openBounded(
  options: OpenDataOptions | undefined,
  open: (options: OpenDataOptions | undefined) => Promise<DiskData>,
): Promise<DiskData> {
  checkOptions('openData', options, OPEN);
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
    checkOptions('stream', options, STREAM);
    if (options.timeoutMs === undefined) return this.#data.stream(ranges, options);
    return withinEach('the stream', options, (own) => this.#data.stream(ranges, own));
  }

  async forEachPiece(
    ranges: Ranges,
    work: (piece: LentPiece) => Promise<unknown>,
    options?: DiskDataStreamOptions,
  ): Promise<number> {
    callback(work, 'work');
    checkOptions('forEachPiece', options, STREAM);
    return within('forEachPiece', options, (own) => this.#data.forEachPiece(ranges, work, own));
  }

  async write(offset: number, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void> {
    checkOptions('write', options, WRITE);
    return within('write', options, (own) => this.#data.write(offset, data, own));
  }

  async writeRanges(ranges: Ranges, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void> {
    checkOptions('writeRanges', options, WRITE);
    return within('writeRanges', options, (own) => this.#data.writeRanges(ranges, data, own));
  }

  async writeStream(
    source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
    options?: DiskDataWriteOptions & { queueBytes?: number },
  ): Promise<number> {
    checkOptions('writeStream', options, WRITE_STREAM);
    return within('writeStream', options, (own) => this.#data.writeStream(source, own));
  }

  async zero(ranges: Ranges, options?: DiskDataWriteOptions & { keepAllocated?: boolean }): Promise<void> {
    checkOptions('zero', options, ZERO);
    return within('zero', options, (own) => this.#data.zero(ranges, own));
  }

  async trim(ranges: Ranges, options?: DiskDataWriteOptions): Promise<void> {
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
