/** The bytes of a disk in memory, at an instant or as they are: the port `DiskData`. */
import type {
  DiskData,
  DiskDataCallOptions,
  DiskDataInfo,
  DiskDataReadOptions,
  DiskDataStreamOptions,
  DiskDataWriteOptions,
  DiskPiece,
  LentPiece,
} from '../core/diskData.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { callback } from '../core/options.js';
import { checkByteCount, checkRanges, checkWindow, type RangePager, type Ranges } from '../core/rangePage.js';
import { UntilClosed } from '../core/untilClosed.js';
import type { Content, MemoryDisk } from './memoryDisk.js';

const CHUNK_BYTES = 256 * 1024;

/** What is read. */
export interface MemoryDataOptions {
  disk: MemoryDisk;
  /** Of an instant, which nobody writes to; the disk as it is now without. */
  instant?: { content: Content; sizeBytes: number } | undefined;
  contexts?: readonly string[] | undefined;
  readOnly: boolean;
  /** Where it holds data. */
  allocated: () => Promise<RangePager>;
  /** Asked before every call; throws where it must not be answered. */
  before?: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

export class MemoryData implements DiskData {
  readonly info: DiskDataInfo;
  readonly #options: MemoryDataOptions;
  readonly #uses = new UntilClosed();
  #allocated: Promise<RangePager> | undefined;

  constructor(options: MemoryDataOptions) {
    this.#options = options;
    const sizeBytes = options.instant?.sizeBytes ?? options.disk.sizeBytes;
    this.info = { sizeBytes, readOnly: options.readOnly };
  }

  async read(offset: number, length: number, options: DiskDataReadOptions = {}): Promise<Buffer> {
    checkByteCount('offset', offset);
    checkByteCount('length', length);
    return this.#use(options, async () => this.#bytes(offset, length));
  }

  readRanges(ranges: Ranges, options?: DiskDataReadOptions): Promise<Buffer>;
  readRanges<Into extends Uint8Array>(
    ranges: Ranges,
    options: DiskDataReadOptions & { into: Into },
  ): Promise<Into>;
  async readRanges(
    ranges: Ranges,
    options: DiskDataReadOptions & { into?: Uint8Array } = {},
  ): Promise<Uint8Array> {
    const { into } = options;
    return this.#use(options, async () => {
      const parts = pairsOf(this.#checked(ranges)).map(([offset, length]) => this.#bytes(offset, length));
      const all = Buffer.concat(parts);
      if (into === undefined) return all;
      if (into.length !== all.length)
        throw invalidArgument('into', `${into.length} bytes`, `${all.length} bytes, as many as the ranges`);
      into.set(all);
      return into;
    });
  }

  async *stream(
    ranges: Ranges,
    { chunkBytes = CHUNK_BYTES, signal }: DiskDataStreamOptions = {},
  ): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined> {
    for (const [start, length] of pairsOf(this.#checked(ranges)))
      for (let offset = start; offset < start + length; ) {
        const size = Math.min(chunkBytes, start + length - offset);
        const data = await this.#use({ signal }, async () => this.#bytes(offset, size));
        yield { offset, data };
        offset += size;
      }
  }

  async forEachPiece(
    ranges: Ranges,
    work: (piece: LentPiece) => Promise<unknown>,
    options: DiskDataStreamOptions = {},
  ): Promise<number> {
    callback(work, 'work');
    let bytes = 0;
    for await (const piece of this.stream(ranges, options)) {
      const loan = new Loan(piece);
      try {
        const working: unknown = work(loan);
        if (typeof (working as Partial<Promise<unknown>> | undefined)?.then !== 'function')
          throw invalidArgument('what work returns', working, 'a promise');
        await working;
      } finally {
        // Whoever kept it reads nothing of the disk: as with memory that is used again.
        loan.end();
      }
      bytes += piece.data.length;
    }
    return bytes;
  }

  async write(offset: number, data: Uint8Array, options: DiskDataWriteOptions = {}): Promise<void> {
    checkByteCount('offset', offset);
    const own = Buffer.from(data);
    await this.#change(options, () => this.#options.disk.write(offset, own));
  }

  async writeRanges(ranges: Ranges, data: Uint8Array, options: DiskDataWriteOptions = {}): Promise<void> {
    const own = Buffer.from(data);
    await this.#change(options, () => {
      const pairs = pairsOf(this.#checked(ranges));
      const total = pairs.reduce((sum, [, length]) => sum + length, 0);
      if (total !== own.length)
        throw invalidArgument('data', `${own.length} bytes`, `${total} bytes, as many as the ranges`);
      let at = 0;
      for (const [offset, length] of pairs) {
        this.#options.disk.write(offset, own.subarray(at, at + length));
        at += length;
      }
    });
  }

  async writeStream(
    source: AsyncIterable<DiskPiece> | Iterable<DiskPiece>,
    options: DiskDataWriteOptions & { queueBytes?: number } = {},
  ): Promise<number> {
    let bytes = 0;
    await this.#use(options, async () => undefined);
    for await (const { offset, data } of source) {
      await this.write(offset, data, options);
      bytes += data.length;
    }
    return bytes;
  }

  async zero(
    ranges: Ranges,
    options: DiskDataWriteOptions & { keepAllocated?: boolean } = {},
  ): Promise<void> {
    await this.#change(options, () => {
      for (const [offset, length] of pairsOf(this.#checked(ranges))) this.#options.disk.zero(offset, length);
    });
  }

  async trim(ranges: Ranges, options: DiskDataWriteOptions = {}): Promise<void> {
    await this.zero(ranges, options);
  }

  async flush(options: DiskDataCallOptions = {}): Promise<void> {
    await this.#use(options, async () => undefined);
  }

  pager(context: string, wanted: 'dirty' | 'data' | 'zero' | 'allocated' | 'top'): RangePager {
    const known = (this.#options.contexts ?? []).includes(context) && context === 'base:allocation';
    return {
      page: (window) =>
        this.#use(window, async () => {
          checkWindow(window);
          if (!known || wanted !== 'data')
            throw invalidArgument(
              'context',
              context,
              'base:allocation, where it was asked for when this was opened',
            );
          this.#allocated ??= this.#options.allocated();
          return (await this.#allocated).page(window);
        }),
    };
  }

  async close(): Promise<void> {
    this.#uses.stop();
    await this.#uses.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #bytes(offset: number, length: number): Buffer {
    const { disk, instant } = this.#options;
    if (offset + length > this.info.sizeBytes)
      throw invalidArgument(
        'offset',
        `${offset}+${length}`,
        `within the disk of ${this.info.sizeBytes} bytes`,
      );
    return disk.bytes(offset, length, instant?.content);
  }

  #checked(ranges: Ranges): Ranges {
    checkRanges('ranges', ranges);
    const end = (ranges.at(-2) ?? 0) + (ranges.at(-1) ?? 0);
    if (end > this.info.sizeBytes)
      throw invalidArgument('ranges', `up to ${end}`, `within the disk of ${this.info.sizeBytes} bytes`);
    return ranges;
  }

  async #change(options: DiskDataCallOptions, work: () => void): Promise<void> {
    await this.#use(options, async () => {
      if (this.info.readOnly)
        throw new CbtError('ERR_CBT_UNSUPPORTED', `${this.#options.disk.name} is open for reading only`);
      work();
    });
  }

  #use<T>({ signal }: { signal?: AbortSignal | undefined }, work: () => Promise<T>): Promise<T> {
    return this.#uses.run(this.#options.disk.name, async () => {
      throwIfAborted(signal);
      await this.#options.before?.(signal);
      const answer = await work();
      throwIfAborted(signal);
      return answer;
    });
  }
}

class Loan implements LentPiece {
  readonly offset: number;
  #data: Buffer | null;

  constructor({ offset, data }: { offset: number; data: Buffer }) {
    this.offset = offset;
    this.#data = data;
  }

  get data(): Buffer {
    if (this.#data === null)
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `the piece at ${this.offset} was lent until the work on it was done; copy what is needed for longer`,
      );
    return this.#data;
  }

  end(): void {
    this.#data?.fill(0xdb);
    this.#data = null;
  }
}

function pairsOf(ranges: Ranges): [number, number][] {
  return Array.from({ length: ranges.length / 2 }, (_, at) => [ranges[2 * at] ?? 0, ranges[2 * at + 1] ?? 0]);
}
