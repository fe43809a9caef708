/**
 * A map squeezed into a picture's cells: changed bytes per bucket, exact, so that a single changed block of a huge disk is
 * never lost in rounding. One pass over the batches, O(ranges + buckets), memory for the buckets alone.
 */
import type { ChangeMap } from '../../core/changeMap.js';
import { invalidArgument } from '../../core/errors.js';

export interface Buckets {
  /** Disk bytes that a bucket covers; the last one may cover fewer. */
  bytesPerBucket: number;
  /** Changed bytes in each bucket. */
  changed: Float64Array;
  sizeBytes: number;
  changedBytes: number;
  rangeCount: number;
}

/** At most `count` buckets; fewer where the disk has fewer sectors. */
export async function bucketize(map: ChangeMap, count: number): Promise<Buckets> {
  if (!Number.isSafeInteger(count) || count < 1) throw invalidArgument('count', count, 'at least 1 bucket');
  const bytesPerBucket = Math.max(512, Math.ceil(map.sizeBytes / count / 512) * 512);
  const changed = new Float64Array(Math.max(1, Math.ceil(map.sizeBytes / bytesPerBucket)));
  let changedBytes = 0;
  let rangeCount = 0;
  for await (const batch of map.batches()) {
    rangeCount += batch.length / 2;
    for (let i = 0; i < batch.length; i += 2) {
      const offset = batch[i] ?? 0;
      const length = batch[i + 1] ?? 0;
      changedBytes += length;
      spread(changed, bytesPerBucket, offset, offset + length);
    }
  }
  return { bytesPerBucket, changed, sizeBytes: map.sizeBytes, changedBytes, rangeCount };
}

function spread(changed: Float64Array, bytesPerBucket: number, start: number, end: number): void {
  for (let at = start, n = Math.floor(start / bytesPerBucket); at < end; n += 1) {
    const until = Math.min(end, (n + 1) * bytesPerBucket);
    changed[n] = (changed[n] ?? 0) + (until - at);
    at = until;
  }
}

/** Shades of a cell: 0 is unchanged, and only that; the others grow with the logarithm of the changed share. */
export const LEVELS = 5;

/** Changed share of a bucket, 0 to 1. */
export function shareOf(buckets: Buckets, index: number): number {
  const covers = Math.min(buckets.bytesPerBucket, buckets.sizeBytes - index * buckets.bytesPerBucket);
  return covers <= 0 ? 0 : (buckets.changed[index] ?? 0) / covers;
}

/** 0 for an unchanged bucket, 1 for under 1 %, then 10 %, 50 %, 90 %, and 5 above. */
export function levelOf(share: number): number {
  if (share <= 0) return 0;
  const borders = [0.01, 0.1, 0.5, 0.9];
  return 1 + borders.filter((border) => share >= border).length;
}

export const LEVEL_LABELS = [
  'unchanged',
  'under 1 %',
  '1 to 10 %',
  '10 to 50 %',
  '50 to 90 %',
  'over 90 %',
] as const;
