import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import { VixFailure } from '../errors.js';

/**
 * Not supported: QEMU images give space back when their guest discards it.
 * @param _parameters Of the header; not looked at.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Shrink(handle, null, null);
 * ```
 */
export async function VixDiskLib_Shrink(..._parameters: unknown[]): Promise<VixError> {
  return callAsync(async () => {
    throw new VixFailure(VIX_E_NOT_SUPPORTED, 'QEMU images give space back when their guest discards it');
  });
}
