import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlEvent } from '../objects/event.js';
import { give, take } from '../runtime.js';

/**
 * The job that an event tells of.
 * @param event Handle of an event.
 * @param job Box for the job.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const job = ref<number>();
 * const code = PrlEvent_GetJob(event, job);
 * ```
 */
export function PrlEvent_GetJob(event: PRL_HANDLE, job: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('event', event, PrlEvent);
    give(requireRef('job', job), taken.job);
  });
}
