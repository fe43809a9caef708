import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import type { VixDiskLibInfo } from '../types.js';

/**
 * Facts about the disk. The geometry is worked out from the capacity.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param info Box for what is known of the disk.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = VixDiskLib_GetInfo(handle, info);
 * const sectors = info.value?.capacity;
 * ```
 */
export function VixDiskLib_GetInfo(
  diskHandle: VixDiskLibHandle | null | undefined,
  info: Ref<VixDiskLibInfo | undefined> | null | undefined,
): VixError {
  return call(() => {
    const { info: facts } = VixDiskLibHandle.of(diskHandle);
    requireRef('info', info).value = facts;
  });
}
