import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { HandlesList } from '../objects/lists.js';
import { give } from '../runtime.js';

/**
 * An empty list of handles, such as PrlDisk_OpenDisk_Local takes.
 */
export function PrlApi_CreateHandlesList(list: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => give(requireRef('list', list), new HandlesList()));
}
