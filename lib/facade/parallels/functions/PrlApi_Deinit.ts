import { callAsync } from '../call.js';
import type { PRL_RESULT } from '../constants/results.js';
import { runtime } from '../runtime.js';

/**
 * Undoes one PrlApi_Init. The last one closes every object that still has a handle (open backups are rolled back); without
 * any before it PRL_ERR_API_WASNT_INITIALIZED. Where closing fails, all are closed all the same and the code is the first failure's. A promise, because closing is I/O.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlApi_Deinit();
 * ```
 */
export async function PrlApi_Deinit(): Promise<PRL_RESULT> {
  return callAsync(() => runtime().deinitialise());
}
