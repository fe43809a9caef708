/**
 * What an NBD context says, page by page. A server works out a whole stretch for each request, so small pages would make
 * it do the same work over and over; one larger answer is kept and cut from until it runs out.
 *
 *   kept    |start    [====]  [==]   [=====] [=] [===]      next|
 *   asked          |start ................................ end|, at most 3
 *   page           |  [====]  [==]   [=====]| next
 */
import {
  checkWindow,
  type RangePage,
  type RangePager,
  type Ranges,
  type Window,
} from '../../core/rangePage.js';

/** Ranges in a kept answer: 1 MiB of memory. */
const KEPT_RANGES = 65536;

/** `ask` answers a window whole; the context must not change while the pager is in use. */
export function nbdPager(ask: (window: Window) => Promise<RangePage>): RangePager {
  let kept: RangePage | undefined;
  return {
    async page(window) {
      checkWindow(window);
      if (window.maxRanges >= KEPT_RANGES) return ask(window);
      const ready = kept && cutPage(kept, window);
      if (ready !== undefined) return ready;
      const fresh = await ask({ ...window, maxRanges: KEPT_RANGES });
      kept = fresh;
      return cutPage(fresh, window) ?? fresh;
    },
  };
}

/**
 * The answer for the window out of a larger one; undefined where that one does not reach far enough. O(log ranges) and
 * no copy, unless a range crosses an edge of the window.
 */
export function cutPage(page: RangePage, window: Window): RangePage | undefined {
  const { startBytes, endBytes, maxRanges } = window;
  if (startBytes < page.startBytes || startBytes > page.nextBytes) return undefined;
  if (startBytes === endBytes) return { ranges: page.ranges.subarray(0, 0), startBytes, nextBytes: endBytes };
  const { ranges } = page;
  const first = firstRangeEndingAfter(ranges, startBytes);
  const behind = firstRangeStartingAt(ranges, endBytes);
  const last = Math.min(behind, first + maxRanges);
  const cutShort = last < behind;
  if (!cutShort && endBytes > page.nextBytes) return undefined;
  const nextBytes = cutShort ? (ranges[2 * last] ?? endBytes) : endBytes;
  return {
    ranges: clipped(ranges.subarray(2 * first, 2 * last), startBytes, endBytes),
    startBytes,
    nextBytes,
  };
}

/** Index of the first range that ends after the offset. */
function firstRangeEndingAfter(ranges: Ranges, offset: number): number {
  return bisect(ranges, (start, length) => start + length > offset);
}

/** Index of the first range that starts at the offset or later. */
function firstRangeStartingAt(ranges: Ranges, offset: number): number {
  return bisect(ranges, (start) => start >= offset);
}

/** Index of the first range for which the test holds, which from then on it does. */
function bisect(ranges: Ranges, holds: (start: number, length: number) => boolean): number {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(ranges[2 * middle] ?? 0, ranges[2 * middle + 1] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The same ranges with the first and last cut to the window; the caller's array stays as it is. */
function clipped(ranges: Ranges, startBytes: number, endBytes: number): Ranges {
  const count = ranges.length / 2;
  if (count === 0) return ranges;
  const first = ranges[0] ?? 0;
  const last = 2 * (count - 1);
  const lastEnd = (ranges[last] ?? 0) + (ranges[last + 1] ?? 0);
  if (first >= startBytes && lastEnd <= endBytes) return ranges;
  const copy = ranges.slice();
  if (lastEnd > endBytes) copy[last + 1] = endBytes - (copy[last] ?? 0);
  if (first < startBytes) {
    copy[1] = (copy[0] ?? 0) + (copy[1] ?? 0) - startBytes;
    copy[0] = startBytes;
  }
  return copy;
}
