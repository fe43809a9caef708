import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { give } from '../runtime.js';

/**
 * An empty list of handles, such as PrlDisk_OpenDisk_Local takes.
 * @param list Box for the list.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const list = ref<number>();
 * const code = PrlApi_CreateHandlesList(list);
 * ```
 */
export function PrlApi_CreateHandlesList(list: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => give(requireRef('list', list), new HandlesList()));
}
