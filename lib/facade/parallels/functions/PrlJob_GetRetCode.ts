import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * What a finished job ended with; PRL_ERR_OPERATION_PENDING while it runs.
 */
export function PrlJob_GetRetCode(job: PRL_HANDLE, code: Ref<PRL_RESULT | undefined> | null): PRL_RESULT {
  return call(() => {
    const out = requireRef('code', code);
    out.value = take('job', job, Job).code;
  });
}
