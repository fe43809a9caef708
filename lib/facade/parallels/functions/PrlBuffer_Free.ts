import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';

/**
 * Frees a buffer that the SDK allocated. No call of this library does: every buffer is the caller's, and JavaScript frees it. Takes
 * what C would pass, the text of PrlHandle_ToString too, and does nothing; NULL is PRL_ERR_INVALID_ARG.
 * @param buffer What would be freed in C.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlBuffer_Free(buffer);
 * ```
 */
export function PrlBuffer_Free(buffer: PrlBuffer | string | null): PRL_RESULT {
  return call(() => {
    if (typeof buffer !== 'string' && !ArrayBuffer.isView(buffer))
      throw invalid('buffer', 'a buffer or a text');
  });
}
