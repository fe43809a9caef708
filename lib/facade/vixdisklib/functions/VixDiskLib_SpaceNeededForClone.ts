import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT } from '../constants/codes.js';
import type { VixDiskLibDiskType } from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import { spaceForClone } from '../objects/image.js';

/**
 * Bytes that a clone of this disk type needs, about; for sparse types what qemu-img measures for a qcow2. VIXDISKLIB_DISK_UNKNOWN is
 * the type that the disk has itself.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param diskType What kind of copy.
 * @param spaceNeeded Box for the bytes.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const bytes = ref<number>();
 * const code = await VixDiskLib_SpaceNeededForClone(handle, VIXDISKLIB_DISK_MONOLITHIC_SPARSE, bytes);
 * ```
 */
export async function VixDiskLib_SpaceNeededForClone(
  diskHandle: VixDiskLibHandle | null | undefined,
  diskType: VixDiskLibDiskType,
  spaceNeeded: Ref<number | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    const { file } = VixDiskLibHandle.of(diskHandle).disk;
    const out = requireRef('spaceNeeded', spaceNeeded);
    if (file === null)
      throw new VixFailure(VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, 'a snapshot is not measured');
    out.value = await spaceForClone(file, diskType);
  });
}
