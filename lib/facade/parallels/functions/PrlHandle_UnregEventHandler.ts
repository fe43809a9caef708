import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { unregister } from '../events.js';
import type { PRL_EVENT_HANDLER_PTR } from '../objects/eventHandlers.js';

/**
 * Takes a function off again; PRL_ERR_INVALID_ARG where it is not registered with this `userData`.
 * @param object Handle of a server or a VM.
 * @param handler As it was registered.
 * @param userData As it was registered.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const handler = () => 0;
 * PrlHandle_RegEventHandler(server, handler, null);
 * const code = PrlHandle_UnregEventHandler(server, handler, null);
 * ```
 */
export function PrlHandle_UnregEventHandler(
  object: PRL_HANDLE,
  handler: PRL_EVENT_HANDLER_PTR | null,
  userData: unknown = null,
): PRL_RESULT {
  return call(() => unregister('object', object, handler, userData));
}
