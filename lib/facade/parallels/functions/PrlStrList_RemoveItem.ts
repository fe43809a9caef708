import { requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { StringsList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * Takes a text out of a list; past the last PRL_ERR_INVALID_ARG.
 * @param list Handle of the list.
 * @param index From 0.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlStrList_RemoveItem(list, 0);
 * ```
 */
export function PrlStrList_RemoveItem(list: PRL_HANDLE, index: number): PRL_RESULT {
  return call(() => take('list', list, StringsList).remove(requireUint32('index', index)));
}
