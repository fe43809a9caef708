/**
 * Pagers put together: each asks its parts for the same window, is complete up to the first place where one of them
 * stopped, and lets the kernel do the set work.
 *
 *   part a   [====]  [==] next|
 *   part b      [========]  [=====]  next|
 *   union    [===========]  [=| next|            cut at the shorter part; the rest comes with the next page
 */
import type { BitmapKernel } from './bitmapKernel.js';
import { throwIfAborted } from './errors.js';
import {
  checkProgress,
  checkWindow,
  type RangePage,
  type RangePager,
  type Ranges,
  type Window,
} from './rangePage.js';

/** No range anywhere. */
export const emptyPager: RangePager = {
  async page(window) {
    checkWindow(window);
    return { ranges: new Float64Array(0), startBytes: window.startBytes, nextBytes: window.endBytes };
  },
};

/** Ranges already at hand. */
export function fixedPager(kernel: BitmapKernel, ranges: Ranges): RangePager {
  return { page: (window) => kernel.clip(ranges, window) };
}

/** What is in any of the parts. */
export function unionPager(kernel: BitmapKernel, parts: readonly RangePager[]): RangePager {
  const [first, ...rest] = parts;
  if (first === undefined) return emptyPager;
  return rest.reduce<RangePager>((a, b) => combine(a, b, (x, y, w) => kernel.union(x, y, w)), first);
}

/** What is in `a` and not in `b`. */
export function subtractPager(kernel: BitmapKernel, a: RangePager, b: RangePager): RangePager {
  return combine(a, b, (x, y, w) => kernel.subtract(x, y, w));
}

/** What is in both. */
export function intersectPager(kernel: BitmapKernel, a: RangePager, b: RangePager): RangePager {
  return combine(a, b, (x, y, w) => kernel.intersect(x, y, w));
}

/** The part below `sizeBytes`; nothing at or past it, and the inner pager is never asked there. */
export function clipPager(inner: RangePager, sizeBytes: number): RangePager {
  return {
    async page(window) {
      checkWindow(window);
      const { startBytes, endBytes } = window;
      if (startBytes >= sizeBytes) return { ranges: new Float64Array(0), startBytes, nextBytes: endBytes };
      const innerEnd = Math.min(endBytes, sizeBytes);
      const page = await inner.page({ ...window, endBytes: innerEnd });
      checkProgress({ ...window, endBytes: innerEnd }, page, 'a clipped map');
      return page.nextBytes < innerEnd ? page : { ...page, nextBytes: endBytes };
    },
  };
}

type SetOperation = (a: Ranges, b: Ranges, window: Window) => Promise<RangePage>;

function combine(a: RangePager, b: RangePager, operation: SetOperation): RangePager {
  return {
    async page(window) {
      checkWindow(window);
      const { startBytes } = window;
      for (let from = startBytes; ; ) {
        const ask = { ...window, startBytes: from };
        const [pageA, pageB] = await Promise.all([a.page(ask), b.page(ask)]);
        checkProgress(ask, pageA, 'the first part of a combined map');
        checkProgress(ask, pageB, 'the second part of a combined map');
        const endBytes = Math.min(pageA.nextBytes, pageB.nextBytes);
        const page = await operation(pageA.ranges, pageB.ranges, { ...ask, endBytes });
        // Where the parts have ranges their combination may have none: an empty page would look like the end of the map.
        if (page.ranges.length > 0 || page.nextBytes >= window.endBytes) return { ...page, startBytes };
        checkProgress(ask, page, 'a combined map');
        throwIfAborted(window.signal);
        from = page.nextBytes;
      }
    },
  };
}
