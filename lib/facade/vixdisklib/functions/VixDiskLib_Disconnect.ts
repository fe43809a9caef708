import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibConnection } from '../objects/connection.js';

/**
 * Closes a connection and every disk that is still open on it.
 */
export async function VixDiskLib_Disconnect(
  connection: VixDiskLibConnection | null | undefined,
): Promise<VixError> {
  return callAsync(() => VixDiskLibConnection.of(connection).close());
}
