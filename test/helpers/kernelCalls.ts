/** Calls of a kernel with sound arguments. */
import type { BitmapKernel, BitmapSegment } from '../../lib/core/bitmapKernel.js';
import type { Window } from '../../lib/core/rangePage.js';

export const ALL = Number.POSITIVE_INFINITY;

export const NONE = new Float64Array(0);

export const memory = (bytes: Uint8Array, granularityBytes = 512): BitmapSegment => ({
  granularityBytes,
  bits: { kind: 'memory', bytes },
});

export type Call = (kernel: BitmapKernel, window: Window) => Promise<unknown>;

export const window = (changes: Partial<Window> = {}): Window => ({
  startBytes: 0,
  endBytes: 65536,
  maxRanges: ALL,
  ...changes,
});

export const refusedFor = (argument: string) => ({ code: 'ERR_CBT_INVALID_ARGUMENT', details: { argument } });
