import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Closes a disk, after what is still on its way.
 */
export async function VixDiskLib_Close(diskHandle: VixDiskLibHandle | null | undefined): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).close());
}
