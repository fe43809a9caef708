/**
 * The bitmap kernel in plain TypeScript: the oracle that the native addon is held to, and the fallback where the addon
 * does not load. It answers alike but for two things Node cannot ask: holes of raw files (all counts as data), and locks
 * on file systems that /proc/locks does not tell for certain (refused).
 */
import type { BitmapKernel } from '../core/bitmapKernel.js';
import { countBitmaps, scanBitmaps } from './script/bitScan.js';
import { scanClusters } from './script/clusterScan.js';
import { scanFileData } from './script/fileData.js';
import { lockState } from './script/lockState.js';
import { paintRanges } from './script/painting.js';
import { align, clip, intersect, split, subtract, union } from './script/rangeAlgebra.js';

export function createScriptKernel(): BitmapKernel {
  return {
    name: 'script',
    path: 'script',
    scanBitmaps,
    countBitmaps,
    paintRanges,
    scanClusters,
    scanFileData,
    lockState: (fd) => lockState(fd),
    union,
    intersect,
    subtract,
    clip,
    align,
    split,
  };
}
