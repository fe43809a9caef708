import { PJOC_VM_END_BACKUP } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Backup } from '../objects/backup.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Ends the backup as if it had never begun; a job. The next incremental backup covers this period too.
 * @param backup Handle of a backup.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const ending = PrlVmBackup_Rollback(backup);
 * await PrlJob_Wait(ending, 60_000);
 * ```
 */
export function PrlVmBackup_Rollback(backup: PRL_HANDLE): PRL_HANDLE {
  return Job.start({ operation: PJOC_VM_END_BACKUP, of: backup }, async () => {
    await take('backup', backup, Backup).rollback();
    return [];
  });
}
