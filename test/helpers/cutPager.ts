/**
 * A pager that answers as awkwardly as its contract allows: pages end at any byte, inside a range too, and hold fewer
 * ranges than were asked for. It keeps the one promise left: a page is empty only when nothing is left.
 */
import type { RangePage, RangePager, Ranges } from '../../lib/core/rangePage.js';
import { sweep } from './tinyKernel.js';

const NONE = new Float64Array(0);

export interface Awkwardness {
  /** Bytes at which a page ends, in any order. */
  cuts?: readonly number[];
  /** At most this many ranges a page. */
  few?: number;
}

export function cutPager(
  ranges: Ranges,
  { cuts = [], few = Number.POSITIVE_INFINITY }: Awkwardness,
): RangePager {
  const sorted = [...cuts].sort((a, b) => a - b);
  return {
    async page(window): Promise<RangePage> {
      const maxRanges = Math.min(window.maxRanges, few);
      const ends = [
        ...sorted.filter((cut) => cut > window.startBytes && cut < window.endBytes),
        window.endBytes,
      ];
      for (const endBytes of ends) {
        const page = sweep(ranges, NONE, { ...window, endBytes, maxRanges }, (inside) => inside);
        if (page.ranges.length > 0 || page.nextBytes === window.endBytes) return page;
      }
      return sweep(NONE, NONE, window, () => false);
    },
  };
}
