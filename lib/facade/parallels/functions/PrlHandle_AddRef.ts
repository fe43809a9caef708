import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';
import { runtime } from '../runtime.js';

/**
 * One more reference to a handle, which then lives until one more PrlHandle_Free. Not live: PRL_ERR_INVALID_ARG.
 * @param handle A live handle.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlHandle_AddRef(disk);
 * ```
 */
export function PrlHandle_AddRef(handle: PRL_HANDLE): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    if (!runtime().table.addReference(handle)) throw invalid('handle', 'a live handle');
  });
}
