import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { takeAny } from '../runtime.js';

/**
 * The XML of an object, into the box: of a VM its name and UUID, of a backup its UUID and what its disks are read from, by which another
 * process opens them (`PrlDisk_OpenDisk_Local`) while the backup lasts. PRL_ERR_UNIMPLEMENTED for objects that have none. There is nothing
 * to free; PrlBuffer_Free takes the text all the same.
 * @param handle A live handle.
 * @param xml Box for the text.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const text = ref<string>();
 * const code = PrlHandle_ToString(backup, text);
 * ```
 */
export function PrlHandle_ToString(handle: PRL_HANDLE, xml: Ref<string | undefined> | null): PRL_RESULT {
  return call(() => {
    const object = takeAny('handle', handle);
    const out = requireRef('xml', xml);
    if (object.toText === undefined)
      throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'objects of this type have no text');
    out.value = object.toText();
  });
}
