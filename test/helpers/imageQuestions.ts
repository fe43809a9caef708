/** Asks an image source for whole maps, in one page and in many small ones, which must be the same. */
import { expect } from 'vitest';
import { openImage } from '../../lib/backend/image/imageSource.js';
import type { BitmapKernel } from '../../lib/core/bitmapKernel.js';
import type { BitmapRef, DiskSource } from '../../lib/core/diskSource.js';
import type { RangePager } from '../../lib/core/rangePage.js';
import { loadKernel } from '../../lib/kernel/load.js';
import { createScriptKernel } from '../../lib/kernel/scriptKernel.js';
import { coalesce, type Extent } from './qemuTools.js';

/** The script kernel and the native one, to run one test over each; an addon that is not built fails the test. */
export async function everyKernel(): Promise<BitmapKernel[]> {
  return [createScriptKernel(), await loadKernel({ kernel: 'native' })];
}

export async function withImage<T>(
  path: string,
  kernel: BitmapKernel,
  work: (source: DiskSource) => Promise<T>,
  format?: 'qcow2' | 'raw',
): Promise<T> {
  // The images are the tests' own.
  const source = await openImage(path, { kernel, trust: true, ...(format && { format }) });
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** All extents of a pager below `sizeBytes`; asked for at once, and again in pages of at most three ranges. */
export async function extentsOf(pager: RangePager, sizeBytes: number): Promise<Extent[]> {
  const whole = await pager.page({ startBytes: 0, endBytes: sizeBytes, maxRanges: Number.POSITIVE_INFINITY });
  expect(whole).toMatchObject({ startBytes: 0, nextBytes: sizeBytes });
  const extents = pairs(whole.ranges);
  expect(coalesce(extents)).toEqual(extents);
  const pieces: Extent[] = [];
  for (let at = 0, pages = 0; at < sizeBytes && pages < 200; pages += 1) {
    const page = await pager.page({ startBytes: at, endBytes: sizeBytes, maxRanges: 3 });
    expect(page.nextBytes).toBeGreaterThan(at);
    pieces.push(...pairs(page.ranges));
    at = page.nextBytes;
    expect(coalesce(pieces).filter(([offset]) => offset < at)).toEqual(
      extents
        .filter(([offset]) => offset < at)
        .map(([offset, length]) => [offset, Math.min(length, at - offset)]),
    );
  }
  if (pager.count !== undefined) {
    const counted = await pager.count({ startBytes: 0, endBytes: sizeBytes });
    expect(counted).toBe(extents.reduce((sum, [, length]) => sum + length, 0));
  }
  return extents;
}

/** Dirty extents of bitmaps of the top layer, or of the layers named. */
export async function dirtyOf(
  source: DiskSource,
  bitmaps: readonly (string | BitmapRef)[],
  granularityBytes = 512,
): Promise<Extent[]> {
  const { sizeBytes } = await source.state();
  const refs = bitmaps.map((bitmap) => (typeof bitmap === 'string' ? { layer: 0, name: bitmap } : bitmap));
  return extentsOf(await source.bitmapRanges(refs, granularityBytes), sizeBytes);
}

export async function allocatedOf(source: DiskSource, layers?: number): Promise<Extent[]> {
  const { sizeBytes } = await source.state();
  return extentsOf(await source.allocatedRanges(layers), sizeBytes);
}

function pairs(ranges: Float64Array): Extent[] {
  return Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i]!, ranges[2 * i + 1]!] as const);
}
