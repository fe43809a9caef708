import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { endAccess } from '../objects/access.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Ends what {@link VixDiskLib_PrepareForAccess} began, for the same VM and identity.
 * @param connectParams How to connect, and to which VM.
 * @param identity Who holds the VM, in words of your own; EndAccess takes the same.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_EndAccess(params, 'nightly backup');
 * ```
 */
export async function VixDiskLib_EndAccess(
  connectParams: VixDiskLibConnectParams | null | undefined,
  identity: string | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    library().requireInitialised();
    await endAccess(connectParams, identity);
  });
}
