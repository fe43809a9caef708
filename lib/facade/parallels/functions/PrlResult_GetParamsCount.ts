import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Result } from '../objects/job.js';
import { take } from '../runtime.js';

/**
 * Number of parameters in a result.
 * @param result Handle of a result.
 * @param count Box for how many there are.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const count = ref<number>();
 * const code = PrlResult_GetParamsCount(result, count);
 * ```
 */
export function PrlResult_GetParamsCount(
  result: PRL_HANDLE,
  count: Ref<number | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const { values } = take('result', result, Result);
    requireRef('count', count).value = values.length;
  });
}
