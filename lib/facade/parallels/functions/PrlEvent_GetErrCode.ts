import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlEvent } from '../objects/event.js';
import { take } from '../runtime.js';

/**
 * The code of what went wrong.
 */
export function PrlEvent_GetErrCode(event: PRL_HANDLE, code: Ref<PRL_RESULT | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('event', event, PrlEvent);
    requireRef('code', code).value = taken.code;
  });
}
