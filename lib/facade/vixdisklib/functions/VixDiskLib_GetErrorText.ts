import { VIX_ERROR_CODE } from '../constants/codes.js';
import { textOf } from '../constants/texts.js';
import { library } from '../library.js';

/**
 * What a code means: words, or its name where there are none here; behind it the newest reason for which it was answered to this client.
 * Locales are not kept.
 */
export function VixDiskLib_GetErrorText(err: number | bigint, _locale: string | null = null): string {
  const code = VIX_ERROR_CODE(err);
  const reason = library().lastReasonOf(code);
  return reason === undefined ? textOf(code) : `${textOf(code)}: ${reason}`;
}
