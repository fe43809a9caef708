/** Calls of a kernel on a scratch file that is there for all tests of a file: sound arguments, of which a test makes one wrong. */
import { afterAll, beforeAll } from 'vitest';
import type { BitmapSegment, ClusterTables } from '../../lib/core/bitmapKernel.js';
import { type Call, memory, NONE } from './kernelCalls.js';
import { ScratchFile } from './storedBits.js';

let scratch: ScratchFile | undefined;

/** The file, while tests run. */
export function file(): ScratchFile {
  if (scratch === undefined) throw new Error('there is no file before the tests');
  return scratch;
}

/** Makes it for the tests of the file that calls this. */
export function useScratchFile(): void {
  beforeAll(async () => {
    scratch = await ScratchFile.make();
    await scratch.put(new Uint8Array(65536));
  });
  afterAll(() => scratch?.remove());
}

export const stored = (changes: object): BitmapSegment => ({
  granularityBytes: 512,
  bits: { kind: 'stored', fd: file().fd, clusterBytes: 512, table: NONE, ...changes },
});

export const tables = (changes: Partial<ClusterTables> = {}): ClusterTables => ({
  fd: file().fd,
  clusterBits: 16,
  extendedL2: false,
  version: 3,
  externalData: false,
  l1: new Float64Array(64),
  fileBytes: file().sizeBytes,
  ...changes,
});

/** Every method that takes a window, with arguments that are otherwise sound. */
export const calls: Record<string, Call> = {
  scanBitmaps: (kernel, window) => kernel.scanBitmaps([memory(Uint8Array.of(5))], 512, window),
  countBitmaps: (kernel, window) => kernel.countBitmaps([memory(Uint8Array.of(5))], 512, window),
  paintRanges: (kernel, window) => kernel.paintRanges(Float64Array.of(512, 512), 512, window),
  scanClusters: (kernel, window) => kernel.scanClusters(tables(), 'data', window),
  scanFileData: (kernel, window) => kernel.scanFileData(file().fd, window),
  union: (kernel, window) => kernel.union(Float64Array.of(512, 512), NONE, window),
  intersect: (kernel, window) => kernel.intersect(Float64Array.of(512, 512), NONE, window),
  subtract: (kernel, window) => kernel.subtract(Float64Array.of(512, 512), NONE, window),
  clip: (kernel, window) => kernel.clip(Float64Array.of(512, 512), window),
  align: (kernel, window) => kernel.align(Float64Array.of(512, 512), 4096, window),
  split: (kernel, window) => kernel.split(Float64Array.of(512, 512), 4096, window),
};
