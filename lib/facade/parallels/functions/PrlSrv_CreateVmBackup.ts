import { PJOC_SRV_CREATE_VM_BACKUP } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';

/**
 * Push-style backup, which needs the dispatcher of Virtuozzo and its backup server: not implemented. Use PrlVm_BeginBackup.
 */
export function PrlSrv_CreateVmBackup(
  _server: PRL_HANDLE,
  _vm: string | null,
  _targetHost: string | null,
  _targetPort: number,
  _targetSession: string | null,
  _description: string | null,
  _backupFlags: number,
  _reservedFlags: number,
  _force: number,
): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_CREATE_VM_BACKUP }, async () => {
    throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'PrlSrv_CreateVmBackup is not implemented');
  });
}
