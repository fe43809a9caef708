import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { cleanUp } from '../objects/access.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Cleans up after programs that died: their {@link VixDiskLib_PrepareForAccess} is ended, and snapshots that they had only begun go. Files of this
 * machine leave nothing to clean. Both outputs may be NULL.
 * @param connectParams How to connect, and to which VM.
 * @param numCleanedUp Box for how many leftovers were removed.
 * @param numRemaining Box for how many are still there.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const cleaned = ref<number>();
 * const left = ref<number>();
 * const code = await VixDiskLib_Cleanup(params, cleaned, left);
 * ```
 */
export async function VixDiskLib_Cleanup(
  connectParams: VixDiskLibConnectParams | null | undefined,
  numCleanedUp: Ref<number | undefined> | null | undefined,
  numRemaining: Ref<number | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    library().requireInitialised();
    for (const [name, out] of [
      ['numCleanedUp', numCleanedUp],
      ['numRemaining', numRemaining],
    ] as const)
      if (out != null) requireRef(name, out);
    const { cleaned, remaining } = await cleanUp(connectParams);
    if (numCleanedUp != null) numCleanedUp.value = cleaned;
    if (numRemaining != null) numRemaining.value = remaining;
  });
}
