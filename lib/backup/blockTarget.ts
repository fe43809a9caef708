/**
 * Writing a disk to an export that does less than QEMU's: one without a command to zero gets zeros as data, and of one with
 * blocks that the disk's pieces do not fill, the block at such an edge is read, changed and written back. Edges are kept until
 * the end, where nothing else is on its way to the same block.
 */
import type { DiskData, DiskPiece } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';

interface Edge {
  offset: number;
  length: number;
  /** Null for zeros. */
  data: Buffer | null;
}

const ZEROS = Buffer.from(new SharedArrayBuffer(1 << 20));
/** Edges end pieces that end within a cluster: the disk's end, and ends of layers of other sizes. */
const MAX_EDGES = 100_000;

export class BlockTarget {
  readonly #target: DiskData;
  readonly #block: number;
  readonly #call: { signal?: AbortSignal };
  readonly #edges: Edge[] = [];
  #canZero: boolean;

  constructor(target: DiskData, call: { signal?: AbortSignal }) {
    this.#target = target;
    this.#block = target.info.minBlockBytes ?? 1;
    this.#canZero = target.info.canZero ?? true;
    this.#call = call;
  }

  /** Whole blocks of the pieces, as they come. */
  async *wholeBlocks(
    pieces: AsyncIterable<{ offset: number; data: Buffer }>,
  ): AsyncGenerator<DiskPiece, void, undefined> {
    for await (const { offset, data } of pieces) {
      const [from, until] = this.#inside(offset, data.length);
      if (from > offset) this.#keep(offset, data.subarray(0, from - offset));
      if (until > from) yield { offset: from, data: data.subarray(from - offset, until - offset) };
      const end = offset + data.length;
      if (end > Math.max(until, from))
        this.#keep(Math.max(until, from), data.subarray(Math.max(until, from) - offset));
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    const [from, until] = this.#inside(offset, length);
    if (from > offset) this.#keepZeros(offset, from - offset);
    if (until > from) await this.#zeroBlocks(from, until - from);
    const end = offset + length;
    if (end > Math.max(until, from)) this.#keepZeros(Math.max(until, from), end - Math.max(until, from));
  }

  /** Every byte that was kept back; nothing else may be on its way. Then everything is brought to stable storage. */
  async finish(): Promise<void> {
    for (const { offset, length, data } of this.#edges) {
      const start = offset - (offset % this.#block);
      const end = Math.ceil((offset + length) / this.#block) * this.#block;
      const whole = await this.#target.read(start, end - start, this.#call);
      if (data === null) whole.fill(0, offset - start, offset - start + length);
      else data.copy(whole, offset - start);
      await this.#target.write(start, whole, this.#call);
    }
    await this.#target.flush(this.#call);
  }

  /** The whole blocks within a stretch; empty where there is none. */
  #inside(offset: number, length: number): [from: number, until: number] {
    const end = offset + length;
    const from = Math.min(Math.ceil(offset / this.#block) * this.#block, end);
    const until = Math.floor(end / this.#block) * this.#block;
    return [from, Math.max(from, until)];
  }

  #keep(offset: number, data: Buffer): void {
    this.#push({ offset, length: data.length, data: Buffer.from(data) });
  }

  #keepZeros(offset: number, length: number): void {
    this.#push({ offset, length, data: null });
  }

  #push(edge: Edge): void {
    if (this.#edges.length >= MAX_EDGES)
      throw new CbtError(
        'ERR_CBT_UNSUPPORTED',
        `more than ${MAX_EDGES} pieces of the disk end within a block of the export`,
      );
    this.#edges.push(edge);
  }

  async #zeroBlocks(offset: number, length: number): Promise<void> {
    if (this.#canZero) {
      try {
        return await this.#target.zero(Float64Array.of(offset, length), this.#call);
      } catch (error) {
        if (!(error instanceof CbtError) || !REFUSED.includes(String(error.details['errno']))) throw error;
        // It offers the command and does not know it: from now on as if it did not offer it.
        this.#canZero = false;
      }
    }
    for (let at = offset; at < offset + length; at += ZEROS.length) {
      const bytes = Math.min(ZEROS.length, offset + length - at);
      await this.#target.write(at, ZEROS.subarray(0, bytes), this.#call);
    }
  }
}

const REFUSED: readonly string[] = ['ENOTSUP', 'EOPNOTSUPP', 'EINVAL'];
