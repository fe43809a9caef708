import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * Adds a live handle to the end of a list, which keeps a reference of its own. A list takes no lists.
 * @param list Handle of the list.
 * @param item A live handle.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlHndlList_AddItem(list, policy);
 * ```
 */
export function PrlHndlList_AddItem(list: PRL_HANDLE, item: PRL_HANDLE): PRL_RESULT {
  return call(() => take('list', list, HandlesList).add(item));
}
