import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * What a job ended with; while it runs the call is a success, and the code PRL_ERR_UNINITIALIZED.
 * @param job Handle of a job.
 * @param code Box for the code.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const ended = ref<number>();
 * if (PrlJob_GetRetCode(job, ended) !== 0 || PRL_FAILED(ended.value ?? -1)) process.exitCode = 1;
 * ```
 */
export function PrlJob_GetRetCode(job: PRL_HANDLE, code: Ref<PRL_RESULT | undefined> | null): PRL_RESULT {
  return call(() => {
    const { code: ended } = take('job', job, Job);
    requireRef('code', code).value = ended;
  });
}
