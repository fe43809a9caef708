import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlEvent } from '../objects/event.js';
import { take } from '../runtime.js';

/**
 * The code of what went wrong.
 * @param event Handle of an event.
 * @param code Box for the code.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const error = ref<number>();
 * const code = PrlEvent_GetErrCode(event, error);
 * ```
 */
export function PrlEvent_GetErrCode(event: PRL_HANDLE, code: Ref<PRL_RESULT | undefined> | null): PRL_RESULT {
  return call(() => {
    const taken = take('event', event, PrlEvent);
    requireRef('code', code).value = taken.code;
  });
}
