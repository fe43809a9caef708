/** Areas of a map as text, a batch at a time: the inside of a JSON array, JSON lines, or plain columns. */
import type { Ranges } from '../core/rangePage.js';
import { MAX_DIGITS, writeDecimal } from './decimals.js';

/** What stands around the two numbers of an area, in ASCII. */
interface AreaStyle {
  before: string;
  between: string;
  after: string;
}

const STYLES = {
  json: { before: ',\n{"start":', between: ',"length":', after: '}' },
  jsonl: { before: '{"start":', between: ',"length":', after: '}\n' },
  plain: { before: '', between: '\t', after: '\n' },
} satisfies Record<string, AreaStyle>;

export type AreaStyleName = keyof typeof STYLES;

/** Formats batches in one style; in `json` the very first area goes without its leading comma. */
export class AreaText {
  readonly #before: Uint8Array;
  readonly #between: Uint8Array;
  readonly #after: Uint8Array;
  #skip: number;

  constructor(style: AreaStyleName) {
    const { before, between, after } = STYLES[style];
    const encoder = new TextEncoder();
    this.#before = encoder.encode(before);
    this.#between = encoder.encode(between);
    this.#after = encoder.encode(after);
    this.#skip = style === 'json' ? 1 : 0;
  }

  /** The text of a batch; a fresh buffer, the caller's to keep. */
  format(ranges: Ranges): Uint8Array {
    const perArea = this.#before.length + this.#between.length + this.#after.length + 2 * MAX_DIGITS;
    const text = new Uint8Array((ranges.length / 2) * perArea);
    let at = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      at = put(text, at, this.#before);
      at = writeDecimal(text, at, ranges[i] ?? 0);
      at = put(text, at, this.#between);
      at = writeDecimal(text, at, ranges[i + 1] ?? 0);
      at = put(text, at, this.#after);
    }
    const skip = ranges.length > 0 ? this.#skip : 0;
    if (ranges.length > 0) this.#skip = 0;
    return text.subarray(skip, at);
  }
}

function put(target: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i += 1) target[at + i] = bytes[i] ?? 0;
  return at + bytes.length;
}
