/** Ranges as decimal text. O(bytes of text). */
import { MAX_STYLE_BYTES, type RangeStyle } from '../../core/bitmapKernel.js';
import { invalidArgument } from '../../core/errors.js';
import type { Ranges } from '../../core/rangePage.js';
import { MAX_DIGITS, writeDecimal } from './decimals.js';
import { allocate, tooLarge } from './levels.js';
import { MAX_ANSWER_BYTES } from './limits.js';
import { Pace } from './pace.js';
import { takeRanges } from './snapshots.js';

export async function formatRanges(
  ranges: Ranges,
  style: RangeStyle,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const before = encodePart('style.before', style.before);
  const between = encodePart('style.between', style.between);
  const after = encodePart('style.after', style.after);
  const taken = takeRanges('ranges', ranges);
  const pace = new Pace(signal);
  const perRange = before.length + between.length + after.length + 2 * MAX_DIGITS;
  const most = (taken.length / 2) * perRange;
  if (most > MAX_ANSWER_BYTES) throw tooLarge('text', most);
  const text = allocate(() => new Uint8Array(most), most);
  let at = 0;
  for (let i = 0; i < taken.length; i += 2) {
    at = put(text, at, before);
    at = writeDecimal(text, at, taken[i] ?? 0);
    at = put(text, at, between);
    at = writeDecimal(text, at, taken[i + 1] ?? 0);
    at = put(text, at, after);
    if (pace.spent(4)) await pace.rest();
  }
  return text.subarray(0, at);
}

function encodePart(argument: string, part: string): Uint8Array {
  if (typeof part !== 'string') throw invalidArgument(argument, part, 'a string');
  const bytes = new TextEncoder().encode(part);
  if (bytes.length > MAX_STYLE_BYTES)
    throw invalidArgument(argument, `${bytes.length} bytes`, `at most ${MAX_STYLE_BYTES} bytes`);
  return bytes;
}

function put(target: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i += 1) target[at + i] = bytes[i] ?? 0;
  return at + bytes.length;
}
