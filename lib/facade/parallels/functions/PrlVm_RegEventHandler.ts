import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { register } from '../events.js';
import type { PRL_EVENT_HANDLER_PTR } from '../objects/eventHandlers.js';

/**
 * Has a function called with each job of a VM that has ended: its handle, which the function frees, and `userData`.
 * @param vm Handle of a VM.
 * @param handler Is called with the handle of an event, which it frees.
 * @param userData Handed to `handler` as it is.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlVm_RegEventHandler(vm, (event) => {
 *   void PrlHandle_Free(event);
 *   return 0;
 * }, null);
 * ```
 */
export function PrlVm_RegEventHandler(
  vm: PRL_HANDLE,
  handler: PRL_EVENT_HANDLER_PTR | null,
  userData: unknown = null,
): PRL_RESULT {
  return call(() => register('vm', vm, handler, userData));
}
