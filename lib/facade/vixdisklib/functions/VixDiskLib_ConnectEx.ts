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
