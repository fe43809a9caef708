import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import { VixFailure } from '../errors.js';

/**
 * Not supported: a QEMU image is given its parent when it is made, and another one by qemu-img rebase.
 * @param _parameters Of the header; not looked at.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_IsAttachPossible(handle, handle);
 * ```
 */
export async function VixDiskLib_IsAttachPossible(..._parameters: unknown[]): Promise<VixError> {
  return callAsync(async () => {
    throw new VixFailure(
      VIX_E_NOT_SUPPORTED,
      'an image keeps the parent it was made with: see qemu-img rebase',
    );
  });
}
