/** The kernel for what a program makes by itself. The core loads none: whoever wires the library says how. */
import type { BitmapKernel } from './bitmapKernel.js';
import { CbtError } from './errors.js';

let load: (() => Promise<BitmapKernel>) | null = null;

/** Says where it comes from; the first call that needs it loads it. */
export function provideKernel(from: () => Promise<BitmapKernel>): void {
  load = from;
}

export function providedKernel(): Promise<BitmapKernel> {
  if (load === null) throw new CbtError('ERR_CBT_INTERNAL', 'no kernel was provided');
  return load();
}
