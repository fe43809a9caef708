/** How pages of a map become batches in which no two ranges touch, and what part of a map may be asked for. */
import { invalidArgument } from './errors.js';
import type { ChangedRange, Ranges } from './rangePage.js';

/** Puts the range held back in front, joined when the two touch. */
export function joinPending(pending: ChangedRange | null, ranges: Ranges): Ranges {
  if (pending === null) return ranges;
  const touches = ranges.length > 0 && ranges[0] === pending.offset + pending.length;
  if (touches) {
    const joined = ranges.slice();
    joined[0] = pending.offset;
    joined[1] = pending.length + (ranges[1] ?? 0);
    return joined;
  }
  const longer = new Float64Array(ranges.length + 2);
  longer.set([pending.offset, pending.length]);
  longer.set(ranges, 2);
  return longer;
}

/** Keeps the last range back when it reaches the end of the page, where the next page may go on with it. */
export function holdLast(ranges: Ranges, pageEnd: number): { ready: Ranges; pending: ChangedRange | null } {
  const offset = ranges.at(-2);
  const length = ranges.at(-1);
  if (offset === undefined || length === undefined || offset + length < pageEnd)
    return { ready: ranges, pending: null };
  return { ready: ranges.subarray(0, -2), pending: { offset, length } };
}

export function checkStart(start: number | undefined, sizeBytes: number): number {
  if (start === undefined) return 0;
  if (!Number.isSafeInteger(start) || start < 0 || start > sizeBytes) {
    throw invalidArgument('start', start, `a byte offset from 0 to the size of the disk, ${sizeBytes}`);
  }
  // Negative zero passes every check above and would show up in offsets.
  return start === 0 ? 0 : start;
}

export function checkCount(argument: string, count: number | undefined): number {
  if (count === undefined) return Number.POSITIVE_INFINITY;
  if (count !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(count) || count < 1)) {
    throw invalidArgument(argument, count, 'a number of ranges, at least 1');
  }
  return count;
}
