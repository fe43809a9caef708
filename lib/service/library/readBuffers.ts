/** Memory of reads on their way to a client: shared with the NBD thread, which fills it in place, and used again. */
const SMALL_BYTES = 64 << 10;
const LARGE_BYTES = 1 << 20;
/** Blocks of each size that are kept. */
const MOST_KEPT = 16;

export class ReadBuffers {
  readonly #small: SharedArrayBuffer[] = [];
  readonly #large: SharedArrayBuffer[] = [];

  take(bytes: number): Uint8Array {
    if (bytes > LARGE_BYTES) return new Uint8Array(new SharedArrayBuffer(bytes));
    const small = bytes <= SMALL_BYTES;
    const kept = (small ? this.#small : this.#large).pop();
    return new Uint8Array(kept ?? new SharedArrayBuffer(small ? SMALL_BYTES : LARGE_BYTES), 0, bytes);
  }

  /** For what a read has ended well with, once it is sent; after one that failed, the thread may still write there. */
  giveBack({ buffer }: Uint8Array): void {
    if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength > LARGE_BYTES) return;
    const kept = buffer.byteLength === SMALL_BYTES ? this.#small : this.#large;
    if (kept.length < MOST_KEPT) kept.push(buffer);
  }
}
