/** The wiring of what a program computes by itself: lists of ranges, and maps of its own, on the kernel of this machine. */
import type { BitmapKernel } from '../core/bitmapKernel.js';
import { ChangeMap } from '../core/changeMap.js';
import { provideKernel } from '../core/providedKernel.js';
import { type RangeAlgebra, rangeAlgebra } from '../core/rangeAlgebra.js';
import type { Ranges as RangeList } from '../core/rangePage.js';
import { loadKernel } from '../kernel/load.js';

let loading: Promise<BitmapKernel> | undefined;

function kernelHere(): Promise<BitmapKernel> {
  loading ??= loadKernel();
  return loading;
}

provideKernel(kernelHere);

export { ChangeMap };

/** A list of byte ranges: pairs of offset and length, ascending, apart, never touching. */
export type Ranges = RangeList;

/** The algebra of such lists: `from`, `union`, `intersect`, `subtract`, `clip`, `align`, `toBits`, `fromBits`, `totalBytes`. */
export const Ranges: RangeAlgebra = rangeAlgebra(kernelHere);
