import { requireText } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { StringsList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * Adds a text to the end of a list; NULL is PRL_ERR_INVALID_ARG.
 * @param list Handle of the list.
 * @param item A text.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlStrList_AddItem(list, 'a text');
 * ```
 */
export function PrlStrList_AddItem(list: PRL_HANDLE, item: string | null): PRL_RESULT {
  return call(() => take('list', list, StringsList).add(requireText('item', item)));
}
