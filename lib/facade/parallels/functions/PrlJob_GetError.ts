import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { give, take } from '../runtime.js';

/**
 * Why a job failed, as an event; PRL_ERR_NO_DATA where it did not, or still runs.
 * @param job Handle of a job.
 * @param error Box for the event that tells the error.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const error = ref<number>();
 * const code = PrlJob_GetError(job, error);
 * ```
 */
export function PrlJob_GetError(job: PRL_HANDLE, error: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('job', job, Job);
    const out = requireRef('error', error);
    give(out, taken.error);
  });
}
