/**
 * Ranges as a level that goes up and down along the disk, and the page made of it. Whoever scans reports each change in
 * ascending order; the page clips, stops at its cap and knows where the next page starts.
 *
 *   level      ___|‾‾‾‾|____|‾‾|____|‾‾‾‾‾‾|___
 *   window          |start ................... end|
 *   page, cap 2      [=]    [==]    ^ nextBytes
 */
import { CbtError } from '../../core/errors.js';
import type { RangePage, Window } from '../../core/rangePage.js';
import { MAX_ANSWER_BYTES } from './limits.js';

export interface LevelSink {
  /** From disk byte `at` on, bytes are in the set or not; never goes back. False: nothing further is wanted. */
  level(at: number, inside: boolean): boolean;
}

/** The bytes of a window that are in the set, as a page. */
export class PageBuilder implements LevelSink {
  readonly #window: Window;
  #pairs = new Float64Array(64);
  #used = 0;
  #inside = false;
  #from = 0;
  #nextBytes: number;

  constructor(window: Window) {
    this.#window = window;
    this.#nextBytes = window.endBytes;
  }

  level(at: number, inside: boolean): boolean {
    if (inside === this.#inside) return true;
    const { startBytes, endBytes, maxRanges } = this.#window;
    const clipped = Math.min(Math.max(at, startBytes), endBytes);
    if (!inside) {
      this.#inside = false;
      if (clipped > this.#from) this.#push(this.#from, clipped - this.#from);
      return at < endBytes;
    }
    if (at >= endBytes) return false;
    if (this.#used / 2 === maxRanges) {
      this.#nextBytes = at;
      return false;
    }
    this.#inside = true;
    this.#from = clipped;
    return true;
  }

  finish(): RangePage {
    this.level(this.#window.endBytes, false);
    return {
      ranges: this.#pairs.slice(0, this.#used),
      startBytes: this.#window.startBytes,
      nextBytes: this.#nextBytes,
    };
  }

  #push(offset: number, length: number): void {
    if (this.#used === this.#pairs.length) {
      const bytes = this.#pairs.byteLength * 2;
      if (bytes > MAX_ANSWER_BYTES) throw tooLarge('ranges', bytes);
      const larger = allocate(() => new Float64Array(bytes / 8), bytes);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[this.#used] = offset;
    this.#pairs[this.#used + 1] = length;
    this.#used += 2;
  }
}

/** How many bytes of a window are in the set. */
export class ByteCounter implements LevelSink {
  readonly #startBytes: number;
  readonly #endBytes: number;
  #inside = false;
  #from = 0;
  #bytes = 0;

  constructor(window: Omit<Window, 'maxRanges'>) {
    this.#startBytes = window.startBytes;
    this.#endBytes = window.endBytes;
  }

  level(at: number, inside: boolean): boolean {
    if (inside === this.#inside) return true;
    const clipped = Math.min(Math.max(at, this.#startBytes), this.#endBytes);
    this.#inside = inside;
    if (inside) this.#from = clipped;
    else this.#bytes += clipped - this.#from;
    return at < this.#endBytes;
  }

  finish(): number {
    this.level(this.#endBytes, false);
    return this.#bytes;
  }
}

/** An answer above {@link MAX_ANSWER_BYTES}. */
export function tooLarge(what: string, bytes: number): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `an answer of ${bytes} bytes of ${what} passes the limit of ${MAX_ANSWER_BYTES}; ask for less at once`,
    { details: { bytes, limitBytes: MAX_ANSWER_BYTES } },
  );
}

/** Memory for an answer, or the coded form of there being none. */
export function allocate<T>(make: () => T, bytes: number): T {
  try {
    return make();
  } catch (cause) {
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `no memory for ${bytes} bytes of answer`, {
      cause,
      details: { errno: 'ENOMEM', bytes },
    });
  }
}
