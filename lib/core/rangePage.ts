/**
 * Byte ranges in bulk, and how they are asked for page by page.
 *
 *   ask      |start .......................................... end|
 *   answer   |start   [====]     [==]      [=====] next| . . . . . (not looked at yet)
 *
 * A page is complete for `[startBytes, nextBytes)`: what is not in its ranges is not in the set. `nextBytes` is the
 * start of the first range that did not fit, or `endBytes`; so a page is never empty unless nothing is left.
 */
import { CbtError, invalidArgument } from './errors.js';

/**
 * Ranges as one flat array of pairs: offset, length, offset, length, … in bytes. Ascending, disjoint, coalesced
 * (no two ranges touch), lengths above zero, offsets and ends exact integers (below 2^53).
 */
export type Ranges = Float64Array;

/** One range of a map. */
export interface ChangedRange {
  /** Bytes from the start of the disk. */
  offset: number;
  /** Bytes, above zero. */
  length: number;
}

/** The part of a set that is asked for. Bytes; `0 <= startBytes <= endBytes <= 2^53 - 1`. */
export interface Window {
  /** Where it begins. */
  startBytes: number;
  /** Where it ends. */
  endBytes: number;
  /** At most this many ranges, at least 1; `Infinity` for all. */
  maxRanges: number;
  /** Fires: the asking ends. */
  signal?: AbortSignal | undefined;
}

/** A complete answer for `[startBytes, nextBytes)`; ranges are clipped to it. */
export interface RangePage {
  /** Offsets and lengths in bytes, ascending. */
  ranges: Ranges;
  /** From where it is complete. */
  startBytes: number;
  /** Up to where it is complete, and where the next page begins. */
  nextBytes: number;
}

/** Something that can tell its ranges page by page, from any offset. */
export interface RangePager {
  /**
   * The ranges in a window, from its start on: as many as fit in `maxRanges`.
   * @param window Which part of the disk, and how many ranges at most.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  page(window: Window): Promise<RangePage>;
  /**
   * Bytes in the set within the window, where that can be told without building ranges.
   * @param window Which part of the disk.
   * @throws `CbtError` where the disk, or what it is in, does not answer; nothing is answered short.
   */
  count?(window: Omit<Window, 'maxRanges'>): Promise<number>;
}

/** Largest disk that byte offsets can name exactly: 8 PiB less one byte. */
export const MAX_DISK_BYTES = Number.MAX_SAFE_INTEGER;

/** Checks a window; every kernel and pager calls it first, so that all refuse alike. */
export function checkWindow(window: Window): void {
  checkByteCount('startBytes', window.startBytes);
  checkByteCount('endBytes', window.endBytes);
  if (window.startBytes > window.endBytes) {
    throw invalidArgument('startBytes', window.startBytes, `at most endBytes (${window.endBytes})`);
  }
  const { maxRanges } = window;
  if (maxRanges !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(maxRanges) && maxRanges >= 1)) {
    throw invalidArgument('maxRanges', maxRanges, 'an integer of at least 1, or Infinity');
  }
}

/** A number of bytes that arithmetic keeps exact. */
export function checkByteCount(argument: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalidArgument(argument, value, `an integer from 0 to ${MAX_DISK_BYTES}`);
  }
}

/** QEMU's limits for a bitmap's granularity: a power of two, 512 bytes to 2 GiB. */
export const MIN_GRANULARITY_BYTES = 512;
export const MAX_GRANULARITY_BYTES = 2 ** 31;

export function checkGranularity(argument: string, value: number): void {
  if (
    !Number.isSafeInteger(value) ||
    value < MIN_GRANULARITY_BYTES ||
    value > MAX_GRANULARITY_BYTES ||
    2 ** Math.round(Math.log2(value)) !== value
  ) {
    throw invalidArgument(
      argument,
      value,
      `a power of two from ${MIN_GRANULARITY_BYTES} to ${MAX_GRANULARITY_BYTES}`,
    );
  }
}

/** Number of ranges in a flat array. */
export function rangeCount(ranges: Ranges): number {
  return ranges.length / 2;
}

/** The form alone: what is in it may be long. */
export function requireFlat(argument: string, ranges: unknown): asserts ranges is Ranges {
  if (!(ranges instanceof Float64Array))
    throw invalidArgument(argument, ranges, 'a Float64Array of offsets and lengths');
}

/** Checks the promise that {@link Ranges} makes; for input from outside, O(n). */
export function checkRanges(argument: string, ranges: Ranges): void {
  requireFlat(argument, ranges);
  if (ranges.length % 2 !== 0)
    throw invalidArgument(argument, `${ranges.length} numbers`, 'pairs of offset and length');
  let previousEnd = -1;
  for (let i = 0; i < ranges.length; i += 2) {
    const offset = ranges[i] ?? Number.NaN;
    const length = ranges[i + 1] ?? Number.NaN;
    const end = offset + length;
    if (
      !Number.isSafeInteger(offset) ||
      !Number.isSafeInteger(length) ||
      length <= 0 ||
      !Number.isSafeInteger(end)
    ) {
      throw invalidArgument(
        `${argument}[${i / 2}]`,
        `${offset}+${length}`,
        'a range of exact, positive length',
      );
    }
    if (offset <= previousEnd) {
      throw invalidArgument(`${argument}[${i / 2}]`, `${offset}+${length}`, `to start after ${previousEnd}`);
    }
    previousEnd = end;
  }
}

/**
 * Checks that a pager kept its promises as far as that costs nothing: it moved on (a stuck pager would hang its caller for
 * ever), stayed inside the window, and its first and last range lie in what it says it told. O(1).
 */
export function checkProgress(window: Window, page: RangePage, who: string): void {
  const { startBytes, endBytes } = window;
  const { ranges, nextBytes } = page;
  const moved = nextBytes > startBytes || startBytes === endBytes;
  const first = ranges[0] ?? startBytes;
  const last = ranges.length === 0 ? nextBytes : (ranges.at(-2) ?? 0) + (ranges.at(-1) ?? 0);
  const inside = first >= startBytes && last <= nextBytes && nextBytes <= endBytes;
  if (page.startBytes === startBytes && moved && inside && ranges.length % 2 === 0) return;
  throw new CbtError(
    'ERR_CBT_INTERNAL',
    `${who} answered [${page.startBytes}, ${nextBytes}) with ranges from ${first} to ${last} when asked for [${startBytes}, ${endBytes})`,
  );
}
