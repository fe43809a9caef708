/**
 * Reading ahead of a program that reads one piece behind the other and waits for each: while it works on one, the next are on their
 * way. Only for content that never changes, because what was fetched a moment ago is handed out.
 */
import { PIECE_BYTES, type ReadMemory } from './readMemory.js';

/** Read ahead at most this much. */
const WINDOW_BYTES = 16 << 20;
/** Reads that must have followed each other before it is worth it. */
const ENOUGH_IN_A_ROW = 2;

interface Span {
  offset: number;
  memory: Uint8Array;
  /** Done when its bytes are there and may be trusted. */
  there: Promise<void>;
}

export class ReadAhead {
  #spans: Span[] = [];
  #next = -1;
  #inRow = 0;

  /** `fetch` fills memory, and is done when that may be trusted. */
  constructor(
    private readonly sizeBytes: number,
    private readonly memory: ReadMemory,
    private readonly fetch: (offset: number, into: Uint8Array) => Promise<void>,
  ) {}

  /** Whether a read goes on where the last one ended, often enough; all that was fetched is dropped when it does not. */
  follows(offset: number, lengthBytes: number): boolean {
    this.#inRow = offset === this.#next ? this.#inRow + 1 : 0;
    this.#next = offset + lengthBytes;
    if (this.#inRow >= ENOUGH_IN_A_ROW) return true;
    this.#drop();
    return false;
  }

  /** Fills the buffer as far as it can; the number of bytes. What is missing could not be read ahead: read it in the ordinary way. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    this.#reach(offset, Math.min(offset + into.length + WINDOW_BYTES, this.sizeBytes));
    let done = 0;
    while (done < into.length) {
      const [span] = this.#spans;
      if (span === undefined) return done;
      try {
        await span.there;
      } catch {
        this.#drop();
        return done;
      }
      const from = offset + done - span.offset;
      const part = span.memory.subarray(from, from + into.length - done);
      into.set(part, done);
      done += part.length;
      if (from + part.length < span.memory.length) continue;
      this.#spans.shift();
      this.memory.giveBack(span.memory);
    }
    return done;
  }

  #reach(offset: number, end: number): void {
    const last = this.#spans.at(-1);
    for (let at = last === undefined ? offset : last.offset + last.memory.length; at < end; ) {
      // Whole pieces only, unless the disk ends with a part of one.
      const lengthBytes = Math.min(PIECE_BYTES, this.sizeBytes - at);
      if (at + lengthBytes > end) return;
      const memory = this.memory.take(lengthBytes);
      const there = this.fetch(at, memory);
      there.catch(() => undefined);
      this.#spans.push({ offset: at, memory, there });
      at += lengthBytes;
    }
  }

  /** What is still on its way gives its memory back when it is there. */
  #drop(): void {
    for (const { there, memory } of this.#spans.splice(0))
      there.then(
        () => this.memory.giveBack(memory),
        () => undefined,
      );
  }
}
