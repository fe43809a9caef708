import type { PRL_SECURITY_LEVEL } from '../constants/enums.js';
import { PSL_LOW_SECURITY } from '../constants/flags.js';
import { PJOC_SRV_LOGIN_LOCAL } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { LocalServer } from '../objects/localServer.js';
import { LoginResponse } from '../objects/loginResponse.js';
import { take } from '../runtime.js';

/**
 * Logs in to this machine: reads who its VMs are (configureLocalServer, QEMU_CBT_VMS, or the host file). A job. There is no session to take up and no
 * port, so the other parameters do nothing.
 * @param server Handle of a server.
 * @param _previousSession Of no effect: there are no sessions to take over.
 * @param _port Of no effect.
 * @param _security Of no effect.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const login = PrlSrv_LoginLocal(server);
 * await PrlJob_Wait(login, 10_000);
 * ```
 */
export function PrlSrv_LoginLocal(
  server: PRL_HANDLE,
  _previousSession: string | null = null,
  _port = 0,
  _security: PRL_SECURITY_LEVEL = PSL_LOW_SECURITY,
): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_LOGIN_LOCAL, of: server }, async (signal) => {
    await take('server', server, LocalServer).login({ signal });
    return [new LoginResponse()];
  });
}
