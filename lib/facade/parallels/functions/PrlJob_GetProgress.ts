import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * 100 for a job that has ended, 0 before: none of the jobs here takes long enough to tell more.
 * @param job Handle of a job.
 * @param percentage Box for it, 0 or 100.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const percentage = ref<number>();
 * const code = PrlJob_GetProgress(job, percentage);
 * ```
 */
export function PrlJob_GetProgress(job: PRL_HANDLE, percentage: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('job', job, Job);
    requireRef('percentage', percentage).value = taken.finished ? 100 : 0;
  });
}
