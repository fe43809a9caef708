import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * A copy of the parameters of a connection; without credentials.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @param connectParams Box for the parameters, without credentials (X7).
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const told = ref<VixDiskLibConnectParams>();
 * const code = VixDiskLib_GetConnectParams(connection, told);
 * ```
 */
export function VixDiskLib_GetConnectParams(
  connection: VixDiskLibConnection | null | undefined,
  connectParams: Ref<VixDiskLibConnectParams | undefined> | null | undefined,
): VixError {
  return call(() => {
    const { creds: _, ...params } = VixDiskLibConnection.of(connection).params ?? {};
    requireRef('connectParams', connectParams).value = params;
  });
}
