import { requireUint32 } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * Takes a handle out of a list, and drops the list's reference to it; past the last PRL_ERR_INVALID_ARG.
 * @param list Handle of the list.
 * @param index From 0.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlHndlList_RemoveItem(list, 0);
 * ```
 */
export async function PrlHndlList_RemoveItem(list: PRL_HANDLE, index: number): Promise<PRL_RESULT> {
  return callAsync(async () => take('list', list, HandlesList).remove(requireUint32('index', index)));
}
