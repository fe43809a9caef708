import type { Ref } from '../../ref.js';
import { type PrlBuffer, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { StringsList } from '../objects/lists.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * A text of a list, through a buffer and its length; past the last PRL_ERR_INVALID_ARG.
 * @param list Handle of the list.
 * @param index From 0.
 * @param text Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(256);
 * const text = Buffer.alloc(length.value);
 * const code = PrlStrList_GetItem(list, 0, text, length);
 * ```
 */
export function PrlStrList_GetItem(
  list: PRL_HANDLE,
  index: number,
  text: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): PRL_RESULT {
  return call(() =>
    copyString(take('list', list, StringsList).get(requireUint32('index', index)), text, length),
  );
}
