import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { unregister } from '../events.js';
import type { PRL_EVENT_HANDLER_PTR } from '../objects/eventHandlers.js';

/**
 * Takes a function off again; PRL_ERR_INVALID_ARG where it is not registered with this `userData`.
 */
export function PrlHandle_UnregEventHandler(
  object: PRL_HANDLE,
  handler: PRL_EVENT_HANDLER_PTR | null,
  userData: unknown = null,
): PRL_RESULT {
  return call(() => unregister('object', object, handler, userData));
}
