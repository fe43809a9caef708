import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';

/**
 * Logging in to a remote host: not implemented. PrlSrv_LoginLocal serves the VMs of this machine.
 */
export function PrlSrv_Login(..._parameters: unknown[]): PRL_HANDLE {
  return Job.start(async () => {
    throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'PrlSrv_Login is not implemented');
  });
}
