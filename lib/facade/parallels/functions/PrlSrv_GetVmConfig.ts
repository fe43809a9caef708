import { requireText, requireUint32 } from '../arguments.js';
import { PGVC_SEARCH_BY_NAME, PGVC_SEARCH_BY_UUID } from '../constants/flags.js';
import { PJOC_SRV_GET_VM_CONFIG } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { LocalServer } from '../objects/localServer.js';
import { take } from '../runtime.js';

/**
 * The VM of that UUID (any spelling) or name; a job whose code is PRL_ERR_VM_UUID_NOT_FOUND where there is none.
 * @param server Handle of a server.
 * @param search Name or UUID of the VM.
 * @param flags PGVC_SEARCH_BY_NAME or PGVC_SEARCH_BY_UUID for one of the two alone; 0 for either.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const finding = PrlSrv_GetVmConfig(server, 'web');
 * ```
 */
export function PrlSrv_GetVmConfig(server: PRL_HANDLE, search: string | null, flags = 0): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_GET_VM_CONFIG, of: server }, async (signal) => {
    const logged = take('server', server, LocalServer);
    const text = requireText('search', search);
    const ways = requireUint32('flags', flags) & (PGVC_SEARCH_BY_NAME | PGVC_SEARCH_BY_UUID);
    const by = ways === PGVC_SEARCH_BY_NAME ? 'name' : ways === PGVC_SEARCH_BY_UUID ? 'uuid' : undefined;
    return [await logged.findVm(text, { signal, by })];
  });
}
