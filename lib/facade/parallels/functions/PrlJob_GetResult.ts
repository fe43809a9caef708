import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { give, take } from '../runtime.js';

/**
 * The result of a job that succeeded: a handle with its parameters. The code of a job that failed, or PRL_ERR_OPERATION_PENDING.
 */
export function PrlJob_GetResult(job: PRL_HANDLE, result: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    const out = requireRef('result', result);
    give(out, take('job', job, Job).result);
  });
}
