import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import { PRLAPI_VER } from '../constants/flags.js';
import type { PRL_RESULT } from '../constants/results.js';

/**
 * The version of the SDK that is spoken, major << 16 | minor. NULL is PRL_ERR_INVALID_ARG.
 */
export function PrlApi_GetVersion(version: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    requireRef('version', version).value = PRLAPI_VER;
  });
}
