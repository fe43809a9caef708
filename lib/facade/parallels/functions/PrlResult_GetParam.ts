import type { Ref } from '../../ref.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlResult_GetParamByIndex } from './PrlResult_GetParamByIndex.js';

/**
 * The first parameter of a result as a handle.
 * @param result Handle of a result.
 * @param parameter Box for the handle, which the caller frees.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const begun = ref<number>();
 * const code = PrlResult_GetParam(result, begun);
 * ```
 */
export function PrlResult_GetParam(
  result: PRL_HANDLE,
  parameter: Ref<PRL_HANDLE | undefined> | null,
): PRL_RESULT {
  return PrlResult_GetParamByIndex(result, 0, parameter);
}
