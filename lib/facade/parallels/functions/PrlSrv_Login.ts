import { PJOC_SRV_LOGIN } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';

/**
 * Logging in to a remote host: not implemented. PrlSrv_LoginLocal serves the VMs of this machine.
 */
export function PrlSrv_Login(
  _server: PRL_HANDLE,
  _host: string | null,
  _user: string | null,
  _password: string | null,
  _previousSession: string | null,
  _port: number,
  _timeout: number,
  _security: number,
): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_LOGIN }, async () => {
    throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'PrlSrv_Login is not implemented');
  });
}
