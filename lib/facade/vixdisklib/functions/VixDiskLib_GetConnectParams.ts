import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import type { VixDiskLibConnectParams } from '../types.js';

/**
 * A copy of the parameters of a connection; without credentials.
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
