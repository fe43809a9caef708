import { requireUint32 } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_TIMEOUT, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Waits for a job, at most so many milliseconds: then PRL_ERR_TIMEOUT, and the job goes on.
 * @param job Handle of a job.
 * @param milliseconds How long at most.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlJob_Wait(job, 60_000);
 * ```
 */
export async function PrlJob_Wait(job: PRL_HANDLE, milliseconds: number): Promise<PRL_RESULT> {
  return callAsync(async () => {
    const running = take('job', job, Job);
    if (!(await running.wait(requireUint32('milliseconds', milliseconds))))
      throw new PrlError(PRL_ERR_TIMEOUT, `the job is not done after ${milliseconds} ms`);
  });
}
