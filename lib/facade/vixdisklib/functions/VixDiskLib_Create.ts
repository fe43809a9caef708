import { requireCount } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIXDISKLIB_SECTOR_SIZE } from '../constants/values.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { createImage } from '../objects/newImage.js';
import { requireCreateParams, requireLocal } from '../objects/parameters.js';
import { withProgress } from '../objects/progress.js';
import type { VixDiskLibCreateParams, VixDiskLibProgressFunc } from '../types.js';

/**
 * Makes an image of `capacity` sectors: a VMDK of the disk type, or what the name says (.qcow2, .raw). A file of that name stays as it is:
 * VIX_E_FILE_ALREADY_EXISTS.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @param path Absolute path of the image, or `[store] folder/name`.
 * @param createParams What kind of image, and its capacity in sectors.
 * @param progressFunc Is told 0 and 100 %.
 * @param progressCallbackData Handed to `progressFunc` as it is.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Create(connection, '/vm/new.vmdk', createParams, null, null);
 * ```
 */
export async function VixDiskLib_Create(
  connection: VixDiskLibConnection | null | undefined,
  path: string | null | undefined,
  createParams: VixDiskLibCreateParams | null | undefined,
  progressFunc: VixDiskLibProgressFunc | null | undefined = null,
  progressCallbackData: unknown = null,
): Promise<VixError> {
  return callAsync(async () => {
    requireLocal(VixDiskLibConnection.of(connection));
    const params = requireCreateParams(createParams);
    const sizeBytes = requireCount('capacity', params.capacity) * VIXDISKLIB_SECTOR_SIZE;
    await withProgress(progressFunc, progressCallbackData, () =>
      createImage(library().fileOf(path), params, sizeBytes),
    );
  });
}
