import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Which operation of the SDK a job does, a PJOC_ value.
 * @param job Handle of a job.
 * @param code Box for the `PJOC_…`.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const operation = ref<number>();
 * const code = PrlJob_GetOpCode(job, operation);
 * ```
 */
export function PrlJob_GetOpCode(job: PRL_HANDLE, code: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('job', job, Job);
    requireRef('code', code).value = taken.operation;
  });
}
