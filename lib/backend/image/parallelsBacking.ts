/** A Parallels image as the lowest layer of a chain; its own source reads it, and is loaded only when one is met. */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import type { DiskSource } from '../../core/diskSource.js';
import { faultError, unsupported } from './faults.js';
import { type ImageLayer, wholePager } from './layer.js';

export async function openParallelsSource(
  path: string,
  kernel: BitmapKernel,
  signal?: AbortSignal,
): Promise<DiskSource> {
  const { openParallels } = await import('./parallels/parallelsSource.js');
  return openParallels(path, { kernel, ...(signal && { signal }) });
}

/** Nothing can be seen below it: all of it counts as allocated. */
export async function parallelsLayer(
  source: DiskSource,
  kernel: BitmapKernel,
  signal?: AbortSignal,
): Promise<ImageLayer> {
  const { layers } = await source.state(signal);
  const [state, ...below] = layers;
  if (state === undefined || below.length > 0) {
    const limit = 'one image file to serve as a backing file';
    throw faultError(source.disk, unsupported('layers of the Parallels disk', layers.length, limit));
  }
  return {
    state,
    bitmaps: (names, granularityBytes, abort) =>
      source.bitmapRanges(
        names.map((name) => ({ layer: 0, name })),
        granularityBytes,
        abort,
      ),
    async allocation(abort) {
      const data = await source.allocatedRanges(undefined, abort);
      return { data, allocated: wholePager(kernel, state.sizeBytes) };
    },
  };
}
