import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import { PAM_SERVER } from '../constants/flags.js';
import type { PRL_RESULT } from '../constants/results.js';
import { runtime } from '../runtime.js';

/**
 * The mode the library was initialised in: PAM_SERVER, the only one there is.
 * @param mode Box for it: PAM_SERVER.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const mode = ref<number>();
 * const code = PrlApi_GetAppMode(mode);
 * ```
 */
export function PrlApi_GetAppMode(mode: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    requireRef('mode', mode).value = PAM_SERVER;
  });
}
