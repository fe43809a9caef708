import { PJOC_SRV_CREATE_VM_BACKUP } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';

/**
 * Push-style backup, which needs the dispatcher of Virtuozzo and its backup server: not implemented. Use PrlVm_BeginBackup.
 * @param _server Not looked at.
 * @param _vm Not looked at.
 * @param _targetHost Not looked at.
 * @param _targetPort Not looked at.
 * @param _targetSession Not looked at.
 * @param _description Not looked at.
 * @param _backupFlags Not looked at.
 * @param _reservedFlags Not looked at.
 * @param _force Not looked at.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const job = PrlSrv_CreateVmBackup(server, 'web', null, 0, null, null, PBT_FULL, 0, PRL_FALSE);
 * ```
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
