import type { Ref } from '../../ref.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { call, invalid } from '../errors.js';
import { type PrlObject, requireInitialised, requireRef, table } from '../runtime.js';

/**
 * The PHT_ type of a live handle.
 */
export function PrlHandle_GetType(handle: PRL_HANDLE, type: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    requireInitialised();
    const out = requireRef('type', type);
    const object = table.get(handle, Object);
    if (object === undefined) throw invalid('handle', 'a live handle');
    out.value = (object as PrlObject).handleType;
  });
}
