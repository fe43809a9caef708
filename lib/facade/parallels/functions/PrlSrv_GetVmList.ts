import { PJOC_SRV_GET_VM_LIST } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { LocalServer } from '../objects/localServer.js';
import { take } from '../runtime.js';

/**
 * The VMs of the server, one parameter of the result each. A job.
 * @param server Handle of a server.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const listing = PrlSrv_GetVmList(server);
 * ```
 */
export function PrlSrv_GetVmList(server: PRL_HANDLE): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_GET_VM_LIST, of: server }, (signal) =>
    take('server', server, LocalServer).vms({ signal }),
  );
}
