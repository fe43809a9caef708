import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';
import { type PrlObject, runtime } from '../runtime.js';

/**
 * Drops one reference; with the last one the object is closed. The handle is dead as soon as the call was made, the promise waits
 * for the closing: a disk's connection, a backup that was not committed and is rolled back.
 * @param handle A live handle.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlHandle_Free(disk);
 * ```
 */
export async function PrlHandle_Free(handle: PRL_HANDLE): Promise<PRL_RESULT> {
  return callAsync(async () => {
    runtime().requireInitialised();
    const object = runtime().table.release(handle);
    if (object === undefined) throw invalid('handle', 'a live handle');
    if (object !== null) await (object as PrlObject).close();
  });
}
