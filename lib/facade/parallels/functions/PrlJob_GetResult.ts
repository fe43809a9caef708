import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { give, take } from '../runtime.js';

/**
 * The result of a job that has ended: a handle with its parameters, none where it failed. PRL_ERR_OPERATION_PENDING while it runs.
 * @param job Handle of a job.
 * @param result Box for the result.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const result = ref<number>();
 * const code = PrlJob_GetResult(job, result);
 * ```
 */
export function PrlJob_GetResult(job: PRL_HANDLE, result: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    const running = take('job', job, Job);
    give(requireRef('result', result), running.result);
  });
}
