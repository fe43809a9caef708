import type { Ref } from '../../ref.js';
import { PRLAPI_VER } from '../constants/flags.js';
import type { PRL_RESULT } from '../constants/results.js';
import { call } from '../errors.js';
import { requireRef } from '../runtime.js';

/**
 * The version of the SDK that is spoken, major << 16 | minor. NULL is PRL_ERR_INVALID_ARG.
 */
export function PrlApi_GetVersion(version: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    requireRef('version', version).value = PRLAPI_VER;
  });
}
