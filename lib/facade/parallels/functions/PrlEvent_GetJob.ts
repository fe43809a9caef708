import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlEvent } from '../objects/event.js';
import { give, take } from '../runtime.js';

/**
 * The job that an event tells of.
 */
export function PrlEvent_GetJob(event: PRL_HANDLE, job: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('event', event, PrlEvent);
    give(requireRef('job', job), taken.job);
  });
}
