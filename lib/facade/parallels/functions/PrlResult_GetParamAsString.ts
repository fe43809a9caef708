import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlResult_GetParamByIndexAsString } from './PrlResult_GetParamByIndexAsString.js';

/**
 * The first parameter of a result as text, through a buffer and its length; see {@link PrlResult_GetParamByIndexAsString}.
 * @param result Handle of a result.
 * @param text Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(256);
 * const text = Buffer.alloc(length.value);
 * const code = PrlResult_GetParamAsString(result, text, length);
 * ```
 */
export function PrlResult_GetParamAsString(
  result: PRL_HANDLE,
  text: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): PRL_RESULT {
  return PrlResult_GetParamByIndexAsString(result, 0, text, length);
}
