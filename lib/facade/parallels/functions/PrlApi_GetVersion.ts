import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_RESULT } from '../constants/results.js';
import { VIRTUOZZO_API_VER } from '../constants/versions.js';
import { runtime } from '../runtime.js';

/**
 * The version of the SDK that is spoken, major << 16 | minor. NULL is PRL_ERR_INVALID_ARG.
 * @param version Box for it.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const version = ref<number>();
 * const code = PrlApi_GetVersion(version);
 * ```
 */
export function PrlApi_GetVersion(version: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    requireRef('version', version).value = VIRTUOZZO_API_VER;
  });
}
