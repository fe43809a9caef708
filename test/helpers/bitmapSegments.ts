/** Bitmaps for the tests of kernels. */
import type { BitmapSegment } from '../../lib/core/bitmapKernel.js';
import { bitsOf } from './shadow.js';

export const GIB = 2 ** 30;

export const TIB = 2 ** 40;

export const ALL = Number.POSITIVE_INFINITY;

/** A bitmap in memory with these bits set. */
export function memory(granularityBytes: number, bits: readonly number[]): BitmapSegment {
  const set = new Set(bits);
  const bytes = bitsOf(Math.max(-1, ...bits) + 1, (bit) => set.has(bit));
  return { granularityBytes, bits: { kind: 'memory', bytes } };
}
