import type { Ref } from '../../ref.js';
import { requireRef, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';
import { Disk } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';
import { type PRL_DISK_PARAMETERS, parametersOf, sizeOfParameters } from '../structs.js';

/**
 * The disk's parameters as an object. `size` 0 asks for the bytes that C would need; a size other than 0 that is too small is
 * PRL_ERR_INVALID_ARG and stays as it is.
 * @param disk Handle of a disk.
 * @param parameters Box for the structure.
 * @param size Box with the bytes that C would have; 0 to ask for those needed.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const info = ref<PRL_DISK_PARAMETERS>();
 * const code = PrlDisk_GetDiskInfo(disk, info, ref(4096));
 * ```
 */
export function PrlDisk_GetDiskInfo(
  disk: PRL_HANDLE,
  parameters: Ref<PRL_DISK_PARAMETERS | undefined> | null,
  size: Ref<number> | null,
): PRL_RESULT {
  return call(() => {
    const info = takeAnyTime('disk', disk, Disk).info;
    const box = requireRef('size', size);
    const given = requireUint32('size', box.value);
    const needed = sizeOfParameters(info);
    if (given === 0) {
      box.value = needed;
      return;
    }
    if (given < needed) throw invalid('size', `0, or at least ${needed}`);
    requireRef('parameters', parameters).value = parametersOf(info);
    box.value = needed;
  });
}
