import type { Ref } from '../../ref.js';
import type { VixError } from '../constants/codes.js';
import { call } from '../errors.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Cleans up after connections that were lost. Nothing of this library outlives its process, so there is nothing to clean; both outputs may be NULL.
 */
export function VixDiskLib_Cleanup(
  _connectParams: VixDiskLibConnectParams | null,
  numCleanedUp: Ref<number | undefined> | null,
  numRemaining: Ref<number | undefined> | null,
): VixError {
  return call(() => {
    if (numCleanedUp !== null) numCleanedUp.value = 0;
    if (numRemaining !== null) numRemaining.value = 0;
  });
}
