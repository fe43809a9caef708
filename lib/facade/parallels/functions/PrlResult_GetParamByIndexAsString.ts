import type { Ref } from '../../ref.js';
import { type PrlBuffer, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Result } from '../objects/job.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * A parameter of a result as text, through a buffer and its length: of a VM its XML, with name and UUID. Past the last parameter, and of one
 * that has no text, PRL_ERR_INVALID_ARG.
 * @param result Handle of a result.
 * @param index From 0.
 * @param text Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(256);
 * const text = Buffer.alloc(length.value);
 * const code = PrlResult_GetParamByIndexAsString(result, 0, text, length);
 * ```
 */
export function PrlResult_GetParamByIndexAsString(
  result: PRL_HANDLE,
  index: number,
  text: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): PRL_RESULT {
  return call(() =>
    copyString(take('result', result, Result).textAt(requireUint32('index', index)), text, length),
  );
}
