import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { takeAny } from '../runtime.js';

/**
 * The PHT_ type of a live handle.
 * @param handle A live handle.
 * @param type Box for the `PHT_…`.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const type = ref<number>();
 * const code = PrlHandle_GetType(disk, type);
 * ```
 */
export function PrlHandle_GetType(handle: PRL_HANDLE, type: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const { handleType } = takeAny('handle', handle);
    requireRef('type', type).value = handleType;
  });
}
