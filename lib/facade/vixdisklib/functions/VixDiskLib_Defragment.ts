import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import { VixFailure } from '../errors.js';

/**
 * Not supported: there is no such thing for QEMU images.
 * @param _parameters Of the header; not looked at.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Defragment(handle, null, null);
 * ```
 */
export async function VixDiskLib_Defragment(..._parameters: unknown[]): Promise<VixError> {
  return callAsync(async () => {
    throw new VixFailure(VIX_E_NOT_SUPPORTED, 'there is no such thing for QEMU images');
  });
}
