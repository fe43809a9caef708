import { requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import { PRL_ERR_API_INCOMPATIBLE, type PRL_RESULT } from '../constants/results.js';
import { VIRTUOZZO_API_VER } from '../constants/versions.js';
import { PrlError } from '../errors.js';
import { runtime } from '../runtime.js';

/**
 * Initialises the library; counted, a second call is undone by a second PrlApi_Deinit. `version` is what the program was written
 * for (major << 16 | minor, the top three bits do not count): PRL_ERR_API_INCOMPATIBLE above {@link VIRTUOZZO_API_VER}.
 * @param version API level, as `VIRTUOZZO_API_VER`.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * if (PRL_FAILED(PrlApi_Init(VIRTUOZZO_API_VER))) throw new Error('another API level');
 * ```
 */
export function PrlApi_Init(version: number): PRL_RESULT {
  return call(() => {
    const wanted = requireUint32('version', version) & 0x1fffffff;
    if (wanted > VIRTUOZZO_API_VER)
      throw new PrlError(
        PRL_ERR_API_INCOMPATIBLE,
        `version ${wanted} is asked for, this library speaks ${VIRTUOZZO_API_VER}`,
      );
    runtime().initialise();
  });
}
