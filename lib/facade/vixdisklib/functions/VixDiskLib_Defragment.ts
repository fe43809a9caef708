import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import { VixFailure } from '../errors.js';

/**
 * Not supported: there is no such thing for QEMU images.
 */
export async function VixDiskLib_Defragment(..._parameters: unknown[]): Promise<VixError> {
  return callAsync(async () => {
    throw new VixFailure(VIX_E_NOT_SUPPORTED, 'there is no such thing for QEMU images');
  });
}
