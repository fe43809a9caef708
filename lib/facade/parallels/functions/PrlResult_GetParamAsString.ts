import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlResult_GetParamByIndexAsString } from './PrlResult_GetParamByIndexAsString.js';

/**
 * The first parameter of a result as text, through a buffer and its length; see {@link PrlResult_GetParamByIndexAsString}.
 */
export function PrlResult_GetParamAsString(
  result: PRL_HANDLE,
  text: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): PRL_RESULT {
  return PrlResult_GetParamByIndexAsString(result, 0, text, length);
}
