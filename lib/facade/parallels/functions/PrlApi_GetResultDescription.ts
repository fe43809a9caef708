import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import { DESCRIPTIONS } from '../constants/descriptions.js';
import type { PRL_RESULT } from '../constants/results.js';
import { nameOf } from '../errors.js';
import { runtime } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * What a result means, as text through a buffer and its length (no buffer: the bytes needed). Not `brief`, the newest reason for
 * which this code was answered to this client follows: which point in time, which file, what to do. A number that is no code
 * gives its digits.
 * @param result Any result.
 * @param brief PRL_TRUE for the text of the code alone.
 * @param _formatted Of no effect.
 * @param description Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(256);
 * const text = Buffer.alloc(length.value);
 * const code = PrlApi_GetResultDescription(PRL_ERR_NO_DATA, PRL_FALSE, PRL_FALSE, text, length);
 * ```
 */
export function PrlApi_GetResultDescription(
  result: PRL_RESULT,
  brief: number,
  _formatted: number,
  description: PrlBuffer | null,
  length: Ref<number>,
): PRL_RESULT {
  return call(() => {
    const code = nameOf(result) ?? `0x${(result >>> 0).toString(16).padStart(8, '0')}`;
    const meaning = DESCRIPTIONS.get(result | 0) ?? code;
    const reason = brief === 0 ? runtime().lastReasonOf(result) : '';
    copyString(reason === '' ? meaning : `${meaning} (${code}): ${reason}`, description, length);
  });
}
