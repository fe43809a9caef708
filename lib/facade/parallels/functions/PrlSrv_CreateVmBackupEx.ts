import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';

/**
 * Push-style backup, which needs the dispatcher of Virtuozzo and its backup server: not implemented. Use PrlVm_BeginBackup.
 */
export function PrlSrv_CreateVmBackupEx(..._parameters: unknown[]): PRL_HANDLE {
  return Job.start(async () => {
    throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'PrlSrv_CreateVmBackupEx is not implemented');
  });
}
