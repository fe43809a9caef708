import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_NO_DATA, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Result } from '../objects/job.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * The first parameter of a result as text, through a buffer and its length; PRL_ERR_NO_DATA where it is none.
 */
export function PrlResult_GetParamAsString(
  result: PRL_HANDLE,
  text: PrlBuffer | null,
  length: Ref<number>,
): PRL_RESULT {
  return call(() => {
    const [value] = take('result', result, Result).values;
    if (typeof value !== 'string')
      throw new PrlError(PRL_ERR_NO_DATA, 'the first parameter of the result is no text');
    copyString(value, text, length);
  });
}
