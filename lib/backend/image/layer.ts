/**
 * One layer of a stack as it was read a moment ago: what it is, its bitmaps, and what it holds. A layer that
 * cannot be read stands in the stack all the same, so that the layers above it answer what surely does not go on in it.
 */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import type { LayerState } from '../../core/diskSource.js';
import { type CbtError, trackingLost } from '../../core/errors.js';
import { clipPager, fixedPager } from '../../core/pagers.js';
import type { RangePager } from '../../core/rangePage.js';
import type { FileSnapshot } from './imageFile.js';

/** What a layer holds by itself, bytes [0, size). */
export interface LayerAllocation {
  /** What holds data here. */
  data: RangePager;
  /** What hides the layers below: data and explicit zeros. */
  allocated: RangePager;
}

export interface ImageLayer {
  readonly state: LayerState;
  /** OR of the bitmaps with these names; every table is checked before the pager is handed out. */
  bitmaps(names: readonly string[], granularityBytes: number, signal?: AbortSignal): Promise<RangePager>;
  allocation(signal?: AbortSignal): Promise<LayerAllocation>;
}

/** QEMU counts a disk in whole sectors: a file that ends inside one has zeros to the sector's end. */
const SECTOR_BYTES = 512;

/** A raw file: all of it hides what is below (nothing can be), and nothing in it can hold a bitmap. */
export function rawLayer(snapshot: FileSnapshot, kernel: BitmapKernel): ImageLayer {
  const { file, sizeBytes: fileBytes } = snapshot;
  const sizeBytes = Math.ceil(fileBytes / SECTOR_BYTES) * SECTOR_BYTES;
  const problem = { reason: 'FORMAT', message: `${file.path}: a raw image cannot hold bitmaps` } as const;
  return {
    state: { label: file.path, sizeBytes, format: 'raw', bitmaps: [], problem },
    async bitmaps() {
      throw trackingLost(problem.reason, problem.message);
    },
    async allocation() {
      const scan: RangePager = { page: (window) => kernel.scanFileData(file.fd, window) };
      return { data: clipPager(scan, fileBytes), allocated: wholePager(kernel, sizeBytes) };
    },
  };
}

/** A layer under the name that its overlay gives it, for which every question throws why it cannot be read. */
export function unreadableLayer(
  { label, format }: { label: string; format: string | null },
  overlaySizeBytes: number,
  error: CbtError,
): ImageLayer {
  const problem = { reason: error.reason ?? 'FORMAT', message: error.message } as const;
  const refuse = async (): Promise<never> => {
    throw error;
  };
  return {
    // Its own size is not known; the overlay's is the most that can be seen of it.
    state: {
      label,
      sizeBytes: overlaySizeBytes,
      // Raw says that it holds no bitmap; any other format says nothing of a file that cannot be read.
      format: format === 'raw' ? format : 'unknown',
      bitmaps: [],
      problem,
      notes: [error.message],
    },
    bitmaps: refuse,
    allocation: refuse,
  };
}

/** Every byte of [0, sizeBytes). */
function wholePager(kernel: BitmapKernel, sizeBytes: number): RangePager {
  return fixedPager(kernel, sizeBytes === 0 ? new Float64Array(0) : Float64Array.of(0, sizeBytes));
}
