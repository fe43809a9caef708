import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Closes a disk, after what is still on its way.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Close(handle);
 * ```
 */
export async function VixDiskLib_Close(diskHandle: VixDiskLibHandle | null | undefined): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).close());
}
