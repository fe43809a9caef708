import { PJOC_VM_END_BACKUP } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Backup } from '../objects/backup.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Ends the backup and keeps its point in time; a job. A session that broke meanwhile is rolled back, and the code says so. Cancelled
 * (PrlJob_Cancel), the backup is still there, to be ended by another job.
 * @param backup Handle of a backup.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const ending = PrlVmBackup_Commit(backup);
 * await PrlJob_Wait(ending, 60_000);
 * ```
 */
export function PrlVmBackup_Commit(backup: PRL_HANDLE): PRL_HANDLE {
  return Job.start({ operation: PJOC_VM_END_BACKUP, of: backup }, async (signal) => {
    await take('backup', backup, Backup).commit({ signal });
    return [];
  });
}
