import type { Ref } from '../../ref.js';
import { type PrlBuffer, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { StringsList } from '../objects/lists.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * A text of a list, through a buffer and its length; past the last PRL_ERR_INVALID_ARG.
 */
export function PrlStrList_GetItem(
  list: PRL_HANDLE,
  index: number,
  text: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): PRL_RESULT {
  return call(() =>
    copyString(take('list', list, StringsList).get(requireUint32('index', index)), text, length),
  );
}
