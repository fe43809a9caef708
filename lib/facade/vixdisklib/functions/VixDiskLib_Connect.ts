import type { Ref } from '../../ref.js';
import type { VixError } from '../constants/codes.js';
import type { VixDiskLibConnection } from '../objects/connection.js';
import type { VixDiskLibConnectParams } from '../types.js';
import { VixDiskLib_ConnectEx } from './VixDiskLib_ConnectEx.js';

/**
 * As {@link VixDiskLib_ConnectEx}, for reading and writing, without a snapshot. NULL: the files of this machine.
 */
export async function VixDiskLib_Connect(
  connectParams: VixDiskLibConnectParams | null | undefined,
  connection: Ref<VixDiskLibConnection | undefined> | null | undefined,
): Promise<VixError> {
  return VixDiskLib_ConnectEx(connectParams, false, null, null, connection);
}
