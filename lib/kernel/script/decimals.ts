/**
 * Decimal digits straight into a byte buffer. A map can have millions of areas, and `String(n)` of numbers past 2^31 costs
 * ten times the rest of the work; four digits at a time from a table do not.
 */

const GROUP = 10_000;
const DIGITS = makeTable();

function makeTable(): Uint8Array {
  const table = new Uint8Array(4 * GROUP);
  for (let n = 0; n < GROUP; n += 1) {
    table[4 * n] = 48 + Math.floor(n / 1000);
    table[4 * n + 1] = 48 + (Math.floor(n / 100) % 10);
    table[4 * n + 2] = 48 + (Math.floor(n / 10) % 10);
    table[4 * n + 3] = 48 + (n % 10);
  }
  return table;
}

/** Most digits of an exact integer: 2^53 - 1 has 16. */
export const MAX_DIGITS = 16;

/** Writes `value` (an integer from 0 to 2^53 - 1) at `at`; returns the offset after its last digit. */
export function writeDecimal(target: Uint8Array, at: number, value: number): number {
  if (value < GROUP) return writeFirst(target, at, value);
  // Eight digits at a time, so that the divisions below stay in 32-bit integers.
  const high = Math.floor(value / 100_000_000);
  const low = value - high * 100_000_000;
  if (high === 0) {
    const upper = (low / GROUP) | 0;
    return writeGroup(target, writeFirst(target, at, upper), low - upper * GROUP);
  }
  const afterHigh = writeDecimal(target, at, high);
  const upper = (low / GROUP) | 0;
  return writeGroup(target, writeGroup(target, afterHigh, upper), low - upper * GROUP);
}

function writeGroup(target: Uint8Array, at: number, group: number): number {
  const from = 4 * group;
  target[at] = DIGITS[from] ?? 0;
  target[at + 1] = DIGITS[from + 1] ?? 0;
  target[at + 2] = DIGITS[from + 2] ?? 0;
  target[at + 3] = DIGITS[from + 3] ?? 0;
  return at + 4;
}

/** The leading group, without leading zeros. */
function writeFirst(target: Uint8Array, at: number, group: number): number {
  let skip = group >= 1000 ? 0 : group >= 100 ? 1 : group >= 10 ? 2 : 3;
  let to = at;
  for (; skip < 4; skip += 1) {
    target[to] = DIGITS[4 * group + skip] ?? 0;
    to += 1;
  }
  return to;
}
