/**
 * Memory that reads go through: shared with the NBD thread, which fills it in place, and used again, the warmest first. A caller's
 * ordinary buffer could be taken from under that thread; fresh memory for every read costs more than copying does.
 */

/** Longest piece of a read. */
export const PIECE_BYTES = 1 << 20;
const SMALL_BYTES = 64 << 10;
/** Blocks of each size that are kept for the next reads. */
const MOST_KEPT = 16;

export class ReadMemory {
  readonly #small: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];

  /** Memory for a piece. */
  take(bytes: number): Uint8Array {
    const small = bytes <= SMALL_BYTES;
    const kept = (small ? this.#small : this.#large).pop();
    return (
      kept ?? new Uint8Array(new SharedArrayBuffer(small ? SMALL_BYTES : Math.max(bytes, PIECE_BYTES)))
    ).subarray(0, bytes);
  }

  /** For what a read has ended well with; after one that failed, the thread may still write there. */
  giveBack(memory: Uint8Array): void {
    const block = new Uint8Array(memory.buffer);
    const kept = block.length === SMALL_BYTES ? this.#small : this.#large;
    if (kept.length < MOST_KEPT) kept.push(block);
  }
}
