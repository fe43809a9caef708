import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * How many handles a list has.
 * @param list Handle of the list.
 * @param count Box for how many there are.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const count = ref<number>();
 * const code = PrlHndlList_GetItemsCount(list, count);
 * ```
 */
export function PrlHndlList_GetItemsCount(
  list: PRL_HANDLE,
  count: Ref<number | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const taken = take('list', list, HandlesList);
    requireRef('count', count).value = taken.count;
  });
}
