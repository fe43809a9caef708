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
 * Connects to the files of this machine, or, with `vmxSpec` (`moref=vm-1`, or the VM's name) and the reference of a snapshot, to the content of that
 * snapshot, read-only. Every other parameter may be NULL and does nothing: there is no host to log in to. Of `transportModes` one must be ours.
 */
export async function VixDiskLib_ConnectEx(
  connectParams: VixDiskLibConnectParams | null,
  readOnly: boolean,
  snapshotRef: string | null,
  transportModes: string | null,
  connection: Ref<VixDiskLibConnection | undefined> | null,
): Promise<VixError> {
  return callAsync(async () => {
    library().requireInitialised();
    const out = requireRef('connection', connection);
    if (transportModes !== null && typeof transportModes !== 'string')
      throw invalid('transportModes', 'a text');
    const ours = VixDiskLib_ListTransportModes().split(':');
    const asked = transportModes === null || transportModes === '' ? ours : transportModes.split(':');
    if (!asked.some((mode) => ours.includes(mode) || mode === 'nbdssl'))
      throw invalid('transportModes', `a list with one of ${ours.join(', ')}`);
    out.value = await VixDiskLibConnection.open(connectParams, readOnly, snapshotRef);
  });
}
