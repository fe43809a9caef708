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
