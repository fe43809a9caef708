import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibConnection } from '../objects/connection.js';

/**
 * Closes a connection and every disk that is still open on it.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Disconnect(connection);
 * ```
 */
export async function VixDiskLib_Disconnect(
  connection: VixDiskLibConnection | null | undefined,
): Promise<VixError> {
  return callAsync(() => VixDiskLibConnection.of(connection).close());
}
