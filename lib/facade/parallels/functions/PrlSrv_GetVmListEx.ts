import { requireUint32 } from '../arguments.js';
import { PGVLF_GET_ONLY_VM_TEMPLATES, PVTF_CT, PVTF_VM } from '../constants/flags.js';
import { PJOC_SRV_GET_VM_LIST } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { LocalServer } from '../objects/localServer.js';
import { take } from '../runtime.js';

/**
 * As {@link PrlSrv_GetVmList}, of a kind: there are VMs here, and no containers and no templates. What is told of each VM is the same
 * whatever the flags (P22). A job.
 * @param server Handle of a server.
 * @param flags PVTF_VM, PVTF_CT, PGVLF_GET_ONLY_VM_TEMPLATES; 0 for all.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const listing = PrlSrv_GetVmListEx(server, PVTF_VM);
 * ```
 */
export function PrlSrv_GetVmListEx(server: PRL_HANDLE, flags = 0): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_GET_VM_LIST, of: server }, async (signal) => {
    const logged = take('server', server, LocalServer);
    const wanted = requireUint32('flags', flags);
    const vms = await logged.vms({ signal });
    const areWanted =
      (wanted & (PVTF_VM | PVTF_CT)) !== PVTF_CT && (wanted & PGVLF_GET_ONLY_VM_TEMPLATES) === 0;
    return areWanted ? vms : [];
  });
}
