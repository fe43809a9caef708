import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { invalid } from '../errors.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import type { VixDiskLibConnectParams } from '../types.js';
import { VixDiskLib_ListTransportModes } from './VixDiskLib_ListTransportModes.js';

/**
 * Connects to the files of this machine, or, with `vmxSpec` (see {@link VixDiskLibConnectParams}) and the reference of a snapshot, to the
 * content of that snapshot, read-only. Every other parameter may be NULL and does nothing: there is no host to log in to. Where none of
 * `transportModes` is one of {@link VixDiskLib_ListTransportModes}, VixDiskLib_Open is VIX_E_NOT_SUPPORTED.
 * @param connectParams How to connect, and to which VM.
 * @param readOnly Whether its disks open for reading only.
 * @param snapshotRef Reference of the snapshot whose disks are read; NULL for those of a VM that is off.
 * @param transportModes Modes that may be used, `file` among them, with `:` between; NULL for any.
 * @param connection Box for the connection.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const opened = ref<VixDiskLibConnection>();
 * const code = await VixDiskLib_ConnectEx(params, true, 'snapshot-1', 'file', opened);
 * ```
 */
export async function VixDiskLib_ConnectEx(
  connectParams: VixDiskLibConnectParams | null | undefined,
  readOnly: boolean,
  snapshotRef: string | null | undefined,
  transportModes: string | null | undefined,
  connection: Ref<VixDiskLibConnection | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    library().requireInitialised();
    const out = requireRef('connection', connection);
    if (transportModes !== null && typeof transportModes !== 'string')
      throw invalid('transportModes', 'a text');
    const ours = VixDiskLib_ListTransportModes().split(':');
    const asked = transportModes === null || transportModes === '' ? ours : transportModes.split(':');
    const reachable = asked.some((mode) => ours.includes(mode) || mode === 'nbdssl');
    const why = `none of the transport modes ${transportModes} reaches a disk: there are ${ours.join(', ')}`;
    out.value = await VixDiskLibConnection.open(connectParams, readOnly, snapshotRef, reachable ? null : why);
  });
}
