import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { prepareAccess } from '../objects/access.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Keeps the VM as it is until {@link VixDiskLib_EndAccess}: until then no snapshot is taken or removed, and tracking is not switched.
 * `identity` says who, to whoever is refused.
 * @param connectParams How to connect, and to which VM.
 * @param identity Who holds the VM, in words of your own; EndAccess takes the same.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_PrepareForAccess(params, 'nightly backup');
 * ```
 */
export async function VixDiskLib_PrepareForAccess(
  connectParams: VixDiskLibConnectParams | null | undefined,
  identity: string | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    library().requireInitialised();
    await prepareAccess(connectParams, identity);
  });
}
