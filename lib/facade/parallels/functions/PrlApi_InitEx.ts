import { requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import { PAM_SERVER } from '../constants/flags.js';
import { PRL_ERR_SUCCESS, PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { PrlApi_Init } from './PrlApi_Init.js';

/**
 * As {@link PrlApi_Init}, with an application mode: PAM_SERVER is the only one there is. `flags` and `reserved` do nothing, as
 * in the SDK.
 */
export function PrlApi_InitEx(version: number, appMode: number, flags = 0, reserved = 0): PRL_RESULT {
  const checked = call(() => {
    requireUint32('flags', flags);
    requireUint32('reserved', reserved);
    if (requireUint32('appMode', appMode) !== PAM_SERVER)
      throw new PrlError(PRL_ERR_UNIMPLEMENTED, `application mode ${appMode}: there is PAM_SERVER only`);
  });
  return checked === PRL_ERR_SUCCESS ? PrlApi_Init(version) : checked;
}
