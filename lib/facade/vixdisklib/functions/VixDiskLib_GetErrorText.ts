import { ERROR_TEXTS, type VixError } from '../constants/codes.js';
import { library } from '../library.js';

/**
 * What a code means; behind it the newest reason for which it was answered to this client. Locales are not kept.
 */
export function VixDiskLib_GetErrorText(err: VixError, _locale: string | null = null): string {
  // The low 16 bits are the code.
  const code = Number(err) & 0xffff;
  const text = ERROR_TEXTS.get(code) ?? `Unknown error ${code}`;
  const reason = library().lastReasonOf(code);
  return reason === undefined ? text : `${text}: ${reason}`;
}
