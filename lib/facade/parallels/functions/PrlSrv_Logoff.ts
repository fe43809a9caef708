import { PJOC_SRV_LOGOFF } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { LocalServer } from '../objects/localServer.js';
import { take } from '../runtime.js';

/**
 * Ends the login; backups that are still open are rolled back. A job.
 * @param server Handle of a server.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const leaving = PrlSrv_Logoff(server);
 * await PrlJob_Wait(leaving, 10_000);
 * ```
 */
export function PrlSrv_Logoff(server: PRL_HANDLE): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_LOGOFF, of: server }, async () => {
    await take('server', server, LocalServer).logoff();
    return [];
  });
}
