import { requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import { PRLAPI_VER } from '../constants/flags.js';
import { PRL_ERR_API_INCOMPATIBLE, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { runtime } from '../runtime.js';

/**
 * Initialises the library; counted, a second call is undone by a second PrlApi_Deinit. `version` is what the program was written
 * for (major << 16 | minor, the top three bits do not count): PRL_ERR_API_INCOMPATIBLE above {@link PRLAPI_VER}.
 */
export function PrlApi_Init(version: number): PRL_RESULT {
  return call(() => {
    const wanted = requireUint32('version', version) & 0x1fffffff;
    if (wanted > PRLAPI_VER)
      throw new PrlError(
        PRL_ERR_API_INCOMPATIBLE,
        `version ${wanted} is asked for, this library speaks ${PRLAPI_VER}`,
      );
    runtime().initialise();
  });
}
