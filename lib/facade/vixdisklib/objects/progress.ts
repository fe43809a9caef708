/** Progress of work that qemu-img does as a whole: told before it, where it can still be cancelled, and after it. */
import { VIX_E_CANCELLED } from '../constants/codes.js';
import { VixFailure } from '../errors.js';
import type { VixDiskLibProgressFunc } from '../types.js';

export async function withProgress(
  progress: VixDiskLibProgressFunc | null,
  data: unknown,
  work: () => Promise<void>,
): Promise<void> {
  if (progress?.(data, 0) === false) throw new VixFailure(VIX_E_CANCELLED, 'cancelled by the caller');
  await work();
  progress?.(data, 100);
}
