import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { unregister } from '../events.js';
import type { PRL_EVENT_HANDLER_PTR } from '../objects/eventHandlers.js';

/**
 * Takes a function off again; PRL_ERR_INVALID_ARG where it is not registered with this `userData`.
 * @param vm Handle of a VM.
 * @param handler As it was registered.
 * @param userData As it was registered.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const handler = () => 0;
 * PrlVm_RegEventHandler(vm, handler, null);
 * const code = PrlVm_UnregEventHandler(vm, handler, null);
 * ```
 */
export function PrlVm_UnregEventHandler(
  vm: PRL_HANDLE,
  handler: PRL_EVENT_HANDLER_PTR | null,
  userData: unknown = null,
): PRL_RESULT {
  return call(() => unregister('vm', vm, handler, userData));
}
