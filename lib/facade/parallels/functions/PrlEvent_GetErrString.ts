import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlEvent } from '../objects/event.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * What went wrong, in words, through a buffer and its length: the reason of this very job. Brief and formatted are the same here.
 * @param event Handle of an event.
 * @param _isBrief Of no effect.
 * @param _isFormatted Of no effect.
 * @param text Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(256);
 * const text = Buffer.alloc(length.value);
 * const code = PrlEvent_GetErrString(event, PRL_TRUE, PRL_FALSE, text, length);
 * ```
 */
export function PrlEvent_GetErrString(
  event: PRL_HANDLE,
  _isBrief: number,
  _isFormatted: number,
  text: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): PRL_RESULT {
  return call(() => copyString(take('event', event, PrlEvent).message, text, length));
}
