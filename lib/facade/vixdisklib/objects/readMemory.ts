/**
 * Memory that reads go through: shared with the NBD thread, which fills it in place, and used again. A caller's buffer could be taken
 * from under that thread; fresh memory for every read costs more than copying does.
 */

/** Blocks that are kept for the next read. */
const MOST_KEPT = 16;

export class ReadMemory {
  readonly #kept: Uint8Array[] = [];

  /** Memory of at least so many bytes, as long as asked for. */
  take(bytes: number): Uint8Array {
    const at = this.#kept.findIndex((block) => block.length >= bytes);
    const block = at < 0 ? new Uint8Array(new SharedArrayBuffer(bytes)) : this.#kept.splice(at, 1)[0];
    return (block ?? new Uint8Array(new SharedArrayBuffer(bytes))).subarray(0, bytes);
  }

  /** For what a read has ended well with; after one that failed, the thread may still write there. */
  giveBack(memory: Uint8Array): void {
    if (this.#kept.length < MOST_KEPT) this.#kept.push(new Uint8Array(memory.buffer));
  }
}
