import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { StringsList } from '../objects/lists.js';
import { take } from '../runtime.js';

/**
 * How many texts a list has.
 */
export function PrlStrList_GetItemsCount(
  list: PRL_HANDLE,
  count: Ref<number | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const taken = take('list', list, StringsList);
    requireRef('count', count).value = taken.count;
  });
}
