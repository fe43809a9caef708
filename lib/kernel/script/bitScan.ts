/**
 * Dirty bitmaps to ranges. The bitmaps are ORed at the coarsest granularity, piece by piece: a piece that every table
 * calls clean, or one table calls dirty, is told at once; any other is put together in memory and scanned. Cost: the bytes
 * of mixed clusters, the table entries, the ranges. Memory: one piece and the window's part of what was given.
 */
import type { BitmapSegment } from '../../core/bitmapKernel.js';
import { invalidArgument } from '../../core/errors.js';
import { checkGranularity, checkWindow, type RangePage, type Window } from '../../core/rangePage.js';
import { levelsOfBits } from './bits.js';
import { ByteCounter, type LevelSink, PageBuilder } from './levels.js';
import { MAX_SEGMENTS } from './limits.js';
import { Pace } from './pace.js';
import { checkSegment, SegmentBits } from './segmentBits.js';

type CountWindow = Omit<Window, 'maxRanges'>;

export async function scanBitmaps(
  segments: readonly BitmapSegment[],
  granularityBytes: number,
  window: Window,
): Promise<RangePage> {
  checkWindow(window);
  const page = new PageBuilder(window);
  await walk(takeQuery(segments, granularityBytes, window), page, new Pace(window.signal));
  return page.finish();
}

export async function countBitmaps(
  segments: readonly BitmapSegment[],
  granularityBytes: number,
  window: CountWindow,
): Promise<number> {
  checkWindow({ ...window, maxRanges: 1 });
  const counter = new ByteCounter(window);
  await walk(takeQuery(segments, granularityBytes, window), counter, new Pace(window.signal));
  return counter.finish();
}

interface Query {
  segments: readonly SegmentBits[];
  coarseBytes: number;
  /** Coarse bits that the window touches. */
  firstBit: number;
  endBit: number;
}

/** Checks the arguments and copies what the query needs of them; runs before anything can yield. */
function takeQuery(segments: readonly BitmapSegment[], granularityBytes: number, window: CountWindow): Query {
  checkGranularity('granularityBytes', granularityBytes);
  if (segments.length > MAX_SEGMENTS) {
    throw invalidArgument('segments', `${segments.length} segments`, `at most ${MAX_SEGMENTS}`);
  }
  let coarseBytes = granularityBytes;
  for (const [i, segment] of segments.entries()) {
    checkSegment(`segments[${i}]`, segment);
    coarseBytes = Math.max(coarseBytes, segment.granularityBytes);
  }
  const firstBit = Math.floor(window.startBytes / coarseBytes);
  const endBit = window.startBytes === window.endBytes ? firstBit : Math.ceil(window.endBytes / coarseBytes);
  return {
    segments: segments.map((one, i) => new SegmentBits(`segments[${i}]`, one, coarseBytes, firstBit, endBit)),
    coarseBytes,
    firstBit,
    endBit,
  };
}

async function walk(query: Query, sink: LevelSink, pace: Pace): Promise<void> {
  const { segments, coarseBytes, endBit } = query;
  for (let bit = query.firstBit; bit < endBit; ) {
    const cleanEnd = segments.reduce((end, one) => Math.min(end, one.cleanUntil(bit)), endBit);
    const dirtyEnd = segments.reduce((end, one) => Math.max(end, one.dirtyUntil(bit)), bit);
    if (cleanEnd > bit || dirtyEnd > bit) {
      if (!sink.level(bit * coarseBytes, dirtyEnd > bit)) return;
      bit = Math.max(cleanEnd, dirtyEnd);
    } else {
      const base = Math.floor(bit / 8) * 8;
      const end = segments.reduce((least, one) => Math.min(least, one.pieceEnd(bit)), endBit);
      const piece = new Uint8Array(Math.ceil((end - base) / 8));
      for (const segment of segments) await segment.orInto(piece, base, bit, end, pace);
      if (!levelsOfBits(piece, bit - base, end - base, base * coarseBytes, coarseBytes, sink)) return;
      bit = end;
    }
    if (pace.spent(segments.length)) await pace.rest();
  }
}
