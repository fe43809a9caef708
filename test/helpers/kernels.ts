/**
 * The kernels that one suite holds alike: the script twin, and the native addon with each of its code paths. The addon
 * picks its path once, when it is loaded, so each path gets a copy of its own to load. An addon that is not built fails
 * the suites; nothing is skipped.
 */
import type { BitmapKernel } from '../../lib/core/bitmapKernel.js';
import { createScriptKernel } from '../../lib/kernel/scriptKernel.js';

export interface NamedKernel {
  label: string;
  kernel: BitmapKernel;
}

export const scriptKernel = createScriptKernel();

export const kernels: readonly NamedKernel[] = [{ label: 'script', kernel: scriptKernel }];
