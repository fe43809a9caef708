import type { Ref } from '../../ref.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { call } from '../errors.js';
import { Job } from '../objects/job.js';
import { requireRef, take } from '../runtime.js';

/**
 * What a finished job ended with; PRL_ERR_OPERATION_PENDING while it runs.
 */
export function PrlJob_GetRetCode(job: PRL_HANDLE, code: Ref<PRL_RESULT | undefined> | null): PRL_RESULT {
  return call(() => {
    const out = requireRef('code', code);
    out.value = take('job', job, Job).code;
  });
}
