/**
 * A map that a program makes itself, from ranges or from a pager of its own. What comes from outside is checked before it is believed:
 * a pager that skips a part, leaves the disk or answers out of order ends the reading, and is never taken for "nothing changed".
 */
import type { BitmapKernel } from './bitmapKernel.js';
import { CbtError, invalidArgument, throwIfAborted } from './errors.js';
import type { DiskName, PointName } from './ids.js';
import { anything, byteCount, type Checks, granularity, listOf, required, shape, text } from './options.js';
import { emptyPager, fixedPager } from './pagers.js';
import { isIterable, rangesFrom, requireWithin } from './rangeAlgebra.js';
import {
  type ChangedRange,
  checkByteCount,
  checkProgress,
  checkRanges,
  type RangePage,
  type RangePager,
  type Ranges,
  type Window,
} from './rangePage.js';

/** What a map of one's own is made of: a list, ranges in any order, or a pager. */
export type MapContent = Ranges | Iterable<ChangedRange> | RangePager;

/** What a map of one's own is about. */
export interface OwnMapFacts {
  /** What the disk is called, in messages too. */
  disk: DiskName;
  /** Size of the disk at the later end of the map; a range past it is refused. */
  sizeBytes: number;
  /** The coarsest unit of what it was made from, a power of two from 512 to 2 GiB; 512 unless given. */
  granularityBytes?: number | undefined;
  /** The earlier point; `*` (what holds data) unless given. */
  from?: PointName | undefined;
  /** The later point; the disk as it is now unless given. */
  to?: PointName | undefined;
  /** What limits a right answer, for people. */
  warnings?: readonly string[] | undefined;
  /** Where the disk holds data, for `kinds()`. */
  data?: MapContent | undefined;
}

const FACTS: Checks<OwnMapFacts> = {
  disk: required(text),
  sizeBytes: required(byteCount),
  granularityBytes: granularity,
  from: text,
  to: text,
  warnings: listOf(text),
  data: anything,
};

/** What the constructor of a map takes. */
export function ownMap(content: MapContent, given: OwnMapFacts, kernel: BitmapKernel) {
  shape<OwnMapFacts>(FACTS)(given, 'facts');
  const { disk, sizeBytes, granularityBytes = 512, from = '*', to = null, warnings = [] } = given;
  const pager = pagerOf('content', content, { disk, sizeBytes, kernel });
  const data =
    given.data === undefined ? undefined : pagerOf('data', given.data, { disk, sizeBytes, kernel });
  return { facts: { disk, sizeBytes, granularityBytes, from, to, warnings: [...warnings] }, pager, data };
}

function pagerOf(
  argument: string,
  content: MapContent,
  { disk, sizeBytes, kernel }: { disk: string; sizeBytes: number; kernel: BitmapKernel },
): RangePager {
  if (content instanceof Float64Array) {
    // The caller's memory may change; what was checked may not.
    const ranges = content.slice();
    checkRanges(argument, ranges);
    requireWithin(ranges, sizeBytes, argument);
    return ranges.length === 0 ? emptyPager : fixedPager(kernel, ranges);
  }
  if (isPager(content)) return checkedPager(content, `the ${argument} of ${disk}`);
  if (!isIterable(content)) throw invalidArgument(argument, content, 'ranges, or a pager');
  const ranges = rangesFrom(content, argument);
  requireWithin(ranges, sizeBytes, argument);
  return fixedPager(kernel, ranges);
}

function isPager(content: MapContent): content is RangePager {
  return typeof (content as Partial<RangePager> | null | undefined)?.page === 'function';
}

/** A pager of somebody else's, each page checked whole. Its `count` is not asked: nothing could check that. */
function checkedPager(pager: RangePager, who: string): RangePager {
  const one = async (window: Window): Promise<RangePage> => {
    const page = (await pager.page({ ...window })) as Partial<RangePage> | undefined;
    const { startBytes, nextBytes, ranges } = page ?? {};
    try {
      if (
        typeof startBytes !== 'number' ||
        typeof nextBytes !== 'number' ||
        !(ranges instanceof Float64Array)
      )
        throw invalidArgument('page', page, '{ ranges, startBytes, nextBytes }');
      checkByteCount('nextBytes', nextBytes);
      const checked = { startBytes, nextBytes, ranges: ranges.slice() };
      checkRanges('ranges', checked.ranges);
      checkProgress(window, checked, who);
      return checked;
    } catch (error) {
      throw new CbtError(
        'ERR_CBT_BACKEND_PROTOCOL',
        `${who}: its pager broke the rules of one: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  };
  return {
    async page(window) {
      // One that found nothing so far is asked on: an empty page would look like the end of the map.
      for (let from = window.startBytes; ; ) {
        const page = await one({ ...window, startBytes: from });
        const more = page.ranges.length > window.maxRanges * 2;
        if (more)
          throw new CbtError(
            'ERR_CBT_BACKEND_PROTOCOL',
            `${who}: its pager gave ${page.ranges.length / 2} ranges where ${window.maxRanges} were asked for`,
          );
        if (page.ranges.length > 0 || page.nextBytes >= window.endBytes)
          return { ...page, startBytes: window.startBytes };
        throwIfAborted(window.signal);
        from = page.nextBytes;
      }
    },
  };
}
