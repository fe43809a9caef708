import { requireText } from '../arguments.js';
import { PJOC_SRV_GET_VM_CONFIG } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { LocalServer } from '../objects/localServer.js';
import { take } from '../runtime.js';

/**
 * The VM of that UUID (any spelling) or name; a job whose code is PRL_ERR_VM_UUID_NOT_FOUND where there is none.
 * @param server Handle of a server.
 * @param search Name or UUID of the VM.
 * @param _flags Of no effect.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const finding = PrlSrv_GetVmConfig(server, 'web');
 * ```
 */
export function PrlSrv_GetVmConfig(server: PRL_HANDLE, search: string | null, _flags = 0): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_GET_VM_CONFIG, of: server }, async (signal) => [
    await take('server', server, LocalServer).findVm(requireText('search', search), { signal }),
  ]);
}
