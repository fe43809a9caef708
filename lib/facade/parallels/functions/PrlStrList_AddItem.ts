import { requireText } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { StringsList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * Adds a text to the end of a list; NULL is PRL_ERR_INVALID_ARG.
 */
export function PrlStrList_AddItem(list: PRL_HANDLE, item: string | null): PRL_RESULT {
  return call(() => take('list', list, StringsList).add(requireText('item', item)));
}
