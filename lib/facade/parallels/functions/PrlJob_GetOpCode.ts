import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Job } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Which operation of the SDK a job does, a PJOC_ value.
 */
export function PrlJob_GetOpCode(job: PRL_HANDLE, code: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('job', job, Job);
    requireRef('code', code).value = taken.operation;
  });
}
