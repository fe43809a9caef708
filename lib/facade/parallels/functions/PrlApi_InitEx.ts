import { requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_APPLICATION_MODE } from '../constants/enums.js';
import { PAM_SERVER } from '../constants/flags.js';
import { PRL_ERR_SUCCESS, PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { PrlApi_Init } from './PrlApi_Init.js';

/**
 * As {@link PrlApi_Init}, with an application mode: PAM_SERVER is the only one there is. `flags` and `reserved` do nothing, as
 * in the SDK.
 * @param version API level, as `VIRTUOZZO_API_VER`.
 * @param appMode PAM_SERVER.
 * @param flags Of no effect.
 * @param reserved Of no effect.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlApi_InitEx(VIRTUOZZO_API_VER, PAM_SERVER);
 * ```
 */
export function PrlApi_InitEx(
  version: number,
  appMode: PRL_APPLICATION_MODE,
  flags = 0,
  reserved = 0,
): PRL_RESULT {
  const checked = call(() => {
    requireUint32('flags', flags);
    requireUint32('reserved', reserved);
    if (requireUint32('appMode', appMode) !== PAM_SERVER)
      throw new PrlError(PRL_ERR_UNIMPLEMENTED, `application mode ${appMode}: there is PAM_SERVER only`);
  });
  return checked === PRL_ERR_SUCCESS ? PrlApi_Init(version) : checked;
}
