import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import { PRL_FALSE, PRL_TRUE } from '../constants/flags.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * PRL_TRUE where the work of a job was begun; PRL_FALSE where its arguments were refused, or there is no such work here.
 * @param job Handle of a job.
 * @param wasSent Box for it: PRL_TRUE.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const sent = ref<number>();
 * const code = PrlJob_IsRequestWasSent(job, sent);
 * ```
 */
export function PrlJob_IsRequestWasSent(
  job: PRL_HANDLE,
  wasSent: Ref<number | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const taken = take('job', job, Job);
    requireRef('wasSent', wasSent).value = taken.wasSent ? PRL_TRUE : PRL_FALSE;
  });
}
