import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Until every asynchronous call of the disk has told its outcome.
 */
export async function VixDiskLib_Wait(diskHandle: VixDiskLibHandle | null | undefined): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).wait());
}
