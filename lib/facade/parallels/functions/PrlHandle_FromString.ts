import { requireText } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { takeAny } from '../runtime.js';

/**
 * Makes an object what a text says: no object here takes one, PRL_ERR_UNIMPLEMENTED, as the SDK answers of most. A backup belongs to the
 * process that began it (P20).
 * @param handle A live handle.
 * @param xml A text.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlHandle_FromString(vm, '<ParallelsVirtualMachine/>');
 * ```
 */
export function PrlHandle_FromString(handle: PRL_HANDLE, xml: string | null): PRL_RESULT {
  return call(() => {
    takeAny('handle', handle);
    requireText('xml', xml);
    throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'no object is made from a text: begin, open or find it');
  });
}
