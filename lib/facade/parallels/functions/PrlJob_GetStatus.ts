import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import { PJS_FINISHED, PJS_RUNNING } from '../constants/flags.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * PJS_RUNNING or PJS_FINISHED.
 * @param job Handle of a job.
 * @param status Box for PJS_RUNNING or PJS_FINISHED.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const status = ref<number>();
 * const code = PrlJob_GetStatus(job, status);
 * ```
 */
export function PrlJob_GetStatus(job: PRL_HANDLE, status: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const { finished } = take('job', job, Job);
    requireRef('status', status).value = finished ? PJS_FINISHED : PJS_RUNNING;
  });
}
