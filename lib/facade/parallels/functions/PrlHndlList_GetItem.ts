import type { Ref } from '../../ref.js';
import { requireRef, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { give, take } from '../runtime.js';

/**
 * A handle of a list, with a reference of the caller's; past the last PRL_ERR_INVALID_ARG.
 * @param list Handle of the list.
 * @param index From 0.
 * @param item Box for the handle, which the caller frees.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const item = ref<number>();
 * const code = PrlHndlList_GetItem(list, 0, item);
 * ```
 */
export function PrlHndlList_GetItem(
  list: PRL_HANDLE,
  index: number,
  item: Ref<PRL_HANDLE | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const taken = take('list', list, HandlesList);
    give(requireRef('item', item), taken.get(requireUint32('index', index)));
  });
}
