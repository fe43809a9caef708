import { callAsync } from '../call.js';
import { VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, type VixError } from '../constants/codes.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { cloneImage } from '../objects/newImage.js';
import { requireCreateParams, requireLocal } from '../objects/parameters.js';
import { withProgress } from '../objects/progress.js';
import type { VixDiskLibCreateParams, VixDiskLibProgressFunc } from '../types.js';

/**
 * Copies the content of an image, all its layers, into a new one. The target appears whole or not at all.
 * @param dstConnection Where the copy is made.
 * @param dstPath Path of the copy.
 * @param srcConnection Where the source is.
 * @param srcPath Path of the source.
 * @param createParams What kind of image, and its capacity in sectors.
 * @param progressFunc Is told 0 and 100 %.
 * @param progressCallbackData Handed to `progressFunc` as it is.
 * @param overWrite Whether a file of that name is replaced.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Clone(connection, '/vm/copy.vmdk', connection, '/vm/disk.qcow2', createParams, null, null, false);
 * ```
 */
export async function VixDiskLib_Clone(
  dstConnection: VixDiskLibConnection | null | undefined,
  dstPath: string | null | undefined,
  srcConnection: VixDiskLibConnection | null | undefined,
  srcPath: string | null | undefined,
  createParams: VixDiskLibCreateParams | null | undefined,
  progressFunc: VixDiskLibProgressFunc | null | undefined = null,
  progressCallbackData: unknown = null,
  overWrite = false,
): Promise<VixError> {
  return callAsync(async () => {
    requireLocal(VixDiskLibConnection.of(dstConnection));
    if (VixDiskLibConnection.of(srcConnection).remote?.content)
      throw new VixFailure(
        VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
        'a disk of a snapshot is copied by reading it',
      );
    const params = requireCreateParams(createParams);
    await withProgress(progressFunc, progressCallbackData, () =>
      cloneImage(library().fileOf(srcPath), library().fileOf(dstPath), params, overWrite),
    );
  });
}
