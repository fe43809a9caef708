import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { endAccess } from '../objects/access.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Ends what {@link VixDiskLib_PrepareForAccess} began, for the same VM and identity.
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
