import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Until every asynchronous call of the disk has told its outcome.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Wait(handle);
 * ```
 */
export async function VixDiskLib_Wait(diskHandle: VixDiskLibHandle | null | undefined): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).wait());
}
