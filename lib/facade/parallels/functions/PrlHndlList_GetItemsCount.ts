import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * How many handles a list has.
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
