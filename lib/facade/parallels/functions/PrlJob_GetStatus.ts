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
 */
export function PrlJob_GetStatus(job: PRL_HANDLE, status: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const { finished } = take('job', job, Job);
    requireRef('status', status).value = finished ? PJS_FINISHED : PJS_RUNNING;
  });
}
