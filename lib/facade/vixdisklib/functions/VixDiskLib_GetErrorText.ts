import { VIX_ERROR_CODE } from '../constants/codes.js';
import { textOf } from '../constants/texts.js';
import { library } from '../library.js';

/**
 * What a code means: words, or its name where there are none here; behind it the newest reason for which it was answered to this client.
 * Locales are not kept.
 * @param err Of any call; the low 16 bits count.
 * @param _locale Of no effect.
 * @returns The text, with the newest reason for which the code was answered (X5).
 * @example
 * ```ts
 * const text = VixDiskLib_GetErrorText(VIX_E_FILE_NOT_FOUND, null);
 * ```
 */
export function VixDiskLib_GetErrorText(err: number | bigint, _locale: string | null = null): string {
  const code = VIX_ERROR_CODE(err);
  const reason = library().lastReasonOf(code);
  return reason === undefined ? textOf(code) : `${textOf(code)}: ${reason}`;
}
