import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';
import { type PrlObject, runtime } from '../runtime.js';

/**
 * The PHT_ type of a live handle.
 */
export function PrlHandle_GetType(handle: PRL_HANDLE, type: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    const out = requireRef('type', type);
    const object = runtime().table.get(handle, Object);
    if (object === undefined) throw invalid('handle', 'a live handle');
    out.value = (object as PrlObject).handleType;
  });
}
