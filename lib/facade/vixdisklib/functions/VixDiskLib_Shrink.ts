import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import { VixFailure } from '../errors.js';

/**
 * Not supported: QEMU images give space back when their guest discards it.
 */
export async function VixDiskLib_Shrink(..._parameters: unknown[]): Promise<VixError> {
  return callAsync(async () => {
    throw new VixFailure(VIX_E_NOT_SUPPORTED, 'QEMU images give space back when their guest discards it');
  });
}
