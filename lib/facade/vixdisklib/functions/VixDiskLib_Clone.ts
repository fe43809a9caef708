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
