/**
 * A disk's bytes at a session's instant, which are worth something only while the session shows it: asked at the end of every stream, and at
 * the closing for whatever was read besides.
 */
import type { CallOptions } from './callOptions.js';
import type {
  DiskData,
  DiskDataCallOptions,
  DiskDataInfo,
  DiskDataReadOptions,
  DiskDataStreamOptions,
  DiskDataWriteOptions,
  DiskPiece,
  LentPiece,
} from './diskData.js';
import { CbtError } from './errors.js';
import type { RangePager, Ranges } from './rangePage.js';

/** What the bytes are of. */
export interface CheckedBy {
  /** Throws when what was read may not be the instant's; asked for as long as whoever reads waits. */
  check(options: Pick<CallOptions, 'signal'>): Promise<void>;
  /** Why the session broke; null while it is good. */
  readonly broken: CbtError | null;
}

export class CheckedData implements DiskData {
  readonly info: DiskDataInfo;
  readonly #data: DiskData;
  readonly #by: CheckedBy;
  /** Something was read that nobody has asked about since. */
  #unchecked = false;

  constructor(data: DiskData, by: CheckedBy) {
    this.#data = data;
    this.#by = by;
    this.info = data.info;
  }

  read(offset: number, length: number, options?: DiskDataReadOptions): Promise<Buffer> {
    return this.#reading(() => this.#data.read(offset, length, options));
  }

  readRanges(ranges: Ranges, options?: DiskDataReadOptions): Promise<Buffer>;
  readRanges<Into extends Uint8Array>(
    ranges: Ranges,
    options: DiskDataReadOptions & { into: Into },
  ): Promise<Into>;
  readRanges(ranges: Ranges, options?: DiskDataReadOptions & { into: Uint8Array }): Promise<Uint8Array> {
    return this.#reading<Uint8Array>(() =>
      options === undefined ? this.#data.readRanges(ranges) : this.#data.readRanges(ranges, options),
    );
  }

  async *stream(
    ranges: Ranges,
    options?: DiskDataStreamOptions,
  ): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined> {
    this.#unchecked = true;
    try {
      yield* this.#data.stream(ranges, options);
    } catch (error) {
      throw this.#by.broken ?? error;
    }
    await this.#check(options?.signal);
  }

  async forEachPiece(
    ranges: Ranges,
    work: (piece: LentPiece) => Promise<unknown>,
    options?: DiskDataStreamOptions,
  ): Promise<number> {
    const bytes = await this.#reading(() => this.#data.forEachPiece(ranges, work, options));
    await this.#check(options?.signal);
    return bytes;
  }

  write(offset: number, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void> {
    return this.#data.write(offset, data, options);
  }

  writeRanges(ranges: Ranges, data: Uint8Array, options?: DiskDataWriteOptions): Promise<void> {
    return this.#data.writeRanges(ranges, data, options);
  }

  writeStream(
    source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
    options?: DiskDataWriteOptions & { queueBytes?: number },
  ): Promise<number> {
    return this.#data.writeStream(source, options);
  }

  zero(ranges: Ranges, options?: DiskDataWriteOptions & { keepAllocated?: boolean }): Promise<void> {
    return this.#data.zero(ranges, options);
  }

  trim(ranges: Ranges, options?: DiskDataWriteOptions): Promise<void> {
    return this.#data.trim(ranges, options);
  }

  flush(options?: DiskDataCallOptions): Promise<void> {
    return this.#data.flush(options);
  }

  pager(...asked: Parameters<DiskData['pager']>): RangePager {
    const pager = this.#data.pager(...asked);
    return {
      page: async (window) => {
        const page = await this.#reading(() => pager.page(window));
        await this.#check(window.signal);
        return page;
      },
    };
  }

  async close(): Promise<void> {
    try {
      if (this.#unchecked) await this.#check();
    } catch (error) {
      // One that has ended in order was asked at its end.
      if (!CbtError.is(error, 'ERR_CBT_CLOSED')) throw error;
    } finally {
      await this.#data.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #check(signal?: AbortSignal): Promise<void> {
    await this.#by.check({ signal });
    this.#unchecked = false;
  }

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    this.#unchecked = true;
    try {
      return await work();
    } catch (error) {
      // A broken session takes its exports away: that is why.
      throw this.#by.broken ?? error;
    }
  }
}
