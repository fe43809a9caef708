import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT } from '../constants/codes.js';
import type { VixDiskLibDiskType } from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import { createChild } from '../objects/newImage.js';
import { withProgress } from '../objects/progress.js';
import type { VixDiskLibProgressFunc } from '../types.js';

/**
 * Makes an empty image over the open disk: what is written to it leaves the disk below as it is.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param childPath Path of the new image.
 * @param _diskType Of no effect.
 * @param progressFunc Is told 0 and 100 %.
 * @param progressCallbackData Handed to `progressFunc` as it is.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_CreateChild(handle, '/vm/child.qcow2', VIXDISKLIB_DISK_MONOLITHIC_SPARSE, null, null);
 * ```
 */
export async function VixDiskLib_CreateChild(
  diskHandle: VixDiskLibHandle | null | undefined,
  childPath: string | null | undefined,
  _diskType: VixDiskLibDiskType,
  progressFunc: VixDiskLibProgressFunc | null | undefined = null,
  progressCallbackData: unknown = null,
): Promise<VixError> {
  return callAsync(async () => {
    const { file } = VixDiskLibHandle.of(diskHandle).disk;
    if (file === null)
      throw new VixFailure(VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, 'a snapshot has no file to stand on');
    await withProgress(progressFunc, progressCallbackData, () =>
      createChild(file, library().fileOf(childPath)),
    );
  });
}
