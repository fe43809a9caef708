/**
 * The bitmap kernel in plain TypeScript: the oracle that the native addon is held to, and the fallback where the addon
 * does not load. It answers alike but for two things Node cannot ask: holes of raw files (all counts as data), and locks
 * on file systems that /proc/locks does not tell for certain (refused).
 */
import type { BitmapKernel } from '../core/bitmapKernel.js';
import { throwIfAborted } from '../core/errors.js';
import { countBitmaps, scanBitmaps } from './script/bitScan.js';
import { scanClusters } from './script/clusterScan.js';
import { scanFileData } from './script/fileData.js';
import { lockState } from './script/lockState.js';
import { paintRanges } from './script/painting.js';
import { align, clip, intersect, split, subtract, union } from './script/rangeAlgebra.js';
import { formatRanges } from './script/rangeText.js';

export function createScriptKernel(): BitmapKernel {
  return {
    name: 'script',
    path: 'script',
    scanBitmaps: (segments, granularityBytes, window) =>
      unlessAborted(window, scanBitmaps(segments, granularityBytes, window)),
    countBitmaps: (segments, granularityBytes, window) =>
      unlessAborted(window, countBitmaps(segments, granularityBytes, window)),
    paintRanges: (ranges, granularityBytes, window) =>
      unlessAborted(window, paintRanges(ranges, granularityBytes, window)),
    formatRanges: (ranges, style, signal) => unlessAborted({ signal }, formatRanges(ranges, style, signal)),
    scanClusters: (tables, wanted, window) => unlessAborted(window, scanClusters(tables, wanted, window)),
    scanFileData: (fd, window) => unlessAborted(window, scanFileData(fd, window)),
    lockState: (fd) => lockState(fd),
    union: (a, b, window) => unlessAborted(window, union(a, b, window)),
    intersect: (a, b, window) => unlessAborted(window, intersect(a, b, window)),
    subtract: (a, b, window) => unlessAborted(window, subtract(a, b, window)),
    clip: (ranges, window) => unlessAborted(window, clip(ranges, window)),
    align: (ranges, granularityBytes, window) =>
      unlessAborted(window, align(ranges, granularityBytes, window)),
    split: (ranges, maxBytes, window) => unlessAborted(window, split(ranges, maxBytes, window)),
  };
}

/** Work that was done when nobody wanted it any more is not handed out: short and long calls end alike. */
async function unlessAborted<T>(window: { signal?: AbortSignal | undefined }, work: Promise<T>): Promise<T> {
  const answer = await work;
  throwIfAborted(window.signal);
  return answer;
}
