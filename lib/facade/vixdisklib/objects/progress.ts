/** Progress of work that qemu-img does as a whole: told before it and after it. */
import type { VixDiskLibProgressFunc } from '../types.js';

export async function withProgress(
  progress: VixDiskLibProgressFunc | null | undefined,
  data: unknown,
  work: () => Promise<void>,
): Promise<void> {
  progress?.(data, 0);
  await work();
  progress?.(data, 100);
}
