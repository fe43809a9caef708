import type { PRL_SECURITY_LEVEL } from '../constants/enums.js';
import { PJOC_SRV_LOGIN } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';

/**
 * Logging in to a remote host: not implemented. PrlSrv_LoginLocal serves the VMs of this machine.
 * @param _server Not looked at.
 * @param _host Not looked at.
 * @param _user Not looked at.
 * @param _password Not looked at.
 * @param _previousSession Not looked at.
 * @param _port Not looked at.
 * @param _timeout Not looked at.
 * @param _security Not looked at.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const job = PrlSrv_Login(server, 'host', 'user', 'password', null, 0, 0, PSL_LOW_SECURITY);
 * ```
 */
export function PrlSrv_Login(
  _server: PRL_HANDLE,
  _host: string | null,
  _user: string | null,
  _password: string | null,
  _previousSession: string | null,
  _port: number,
  _timeout: number,
  _security: PRL_SECURITY_LEVEL,
): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_LOGIN }, async () => {
    throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'PrlSrv_Login is not implemented');
  });
}
