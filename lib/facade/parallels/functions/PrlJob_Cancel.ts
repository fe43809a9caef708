import { PJOC_JOB_CANCEL } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Asks a job to stop; a job itself. The cancelled one ends with PRL_ERR_OPERATION_WAS_CANCELED, unless it was done before.
 * @param job Handle of a job.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const cancelling = PrlJob_Cancel(job);
 * await PrlJob_Wait(cancelling, 10_000);
 * ```
 */
export function PrlJob_Cancel(job: PRL_HANDLE): PRL_HANDLE {
  return Job.start({ operation: PJOC_JOB_CANCEL }, async () => {
    take('job', job, Job).cancel();
    return [];
  });
}
