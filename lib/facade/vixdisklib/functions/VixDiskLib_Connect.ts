import type { Ref } from '../../ref.js';
import type { VixError } from '../constants/codes.js';
import type { VixDiskLibConnection } from '../objects/connection.js';
import type { VixDiskLibConnectParams } from '../types.js';
import { VixDiskLib_ConnectEx } from './VixDiskLib_ConnectEx.js';

/**
 * As {@link VixDiskLib_ConnectEx}, for reading and writing, without a snapshot. NULL: the files of this machine.
 * @param connectParams How to connect, and to which VM.
 * @param connection Box for the connection.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const opened = ref<VixDiskLibConnection>();
 * const code = await VixDiskLib_Connect(params, opened);
 * ```
 */
export async function VixDiskLib_Connect(
  connectParams: VixDiskLibConnectParams | null | undefined,
  connection: Ref<VixDiskLibConnection | undefined> | null | undefined,
): Promise<VixError> {
  return VixDiskLib_ConnectEx(connectParams, false, null, null, connection);
}
