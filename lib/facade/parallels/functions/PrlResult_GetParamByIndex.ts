import type { Ref } from '../../ref.js';
import { requireRef, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_NO_DATA, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Result } from '../objects/job.js';
import { give, take } from '../runtime.js';

/**
 * A parameter of a result as a handle; past the last PRL_ERR_INVALID_ARG, PRL_ERR_NO_DATA where it is a text.
 * @param result Handle of a result.
 * @param index From 0.
 * @param parameter Box for the handle, which the caller frees.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const first = ref<number>();
 * const code = PrlResult_GetParamByIndex(result, 0, first);
 * ```
 */
export function PrlResult_GetParamByIndex(
  result: PRL_HANDLE,
  index: number,
  parameter: Ref<PRL_HANDLE | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const taken = take('result', result, Result);
    const out = requireRef('parameter', parameter);
    const value = taken.at(requireUint32('index', index));
    if (typeof value === 'string')
      throw new PrlError(PRL_ERR_NO_DATA, `the parameter at ${index} is a text, no handle`);
    give(out, value);
  });
}
