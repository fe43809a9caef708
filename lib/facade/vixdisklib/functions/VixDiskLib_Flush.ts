import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * Everything written is on stable storage afterwards; waits for asynchronous calls first.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Flush(handle);
 * ```
 */
export async function VixDiskLib_Flush(diskHandle: VixDiskLibHandle | null | undefined): Promise<VixError> {
  return callAsync(() => VixDiskLibHandle.of(diskHandle).flush());
}
