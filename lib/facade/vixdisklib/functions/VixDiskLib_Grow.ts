import { requireCount } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VIXDISKLIB_SECTOR_SIZE } from '../constants/values.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { growImage } from '../objects/image.js';
import { requireLocal } from '../objects/parameters.js';
import { withProgress } from '../objects/progress.js';
import type { VixDiskLibProgressFunc } from '../types.js';

/**
 * Makes an image that nobody has open larger, to `capacity` sectors; never smaller. The geometry follows the capacity by itself.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @param path Absolute path of the image, or `[store] folder/name`.
 * @param capacity The new size, sectors of 512 bytes.
 * @param _updateGeometry Of no effect: no geometry is kept.
 * @param progressFunc Is told 0 and 100 %.
 * @param progressCallbackData Handed to `progressFunc` as it is.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Grow(connection, '/vm/disk.qcow2', 41_943_040, false, null, null);
 * ```
 */
export async function VixDiskLib_Grow(
  connection: VixDiskLibConnection | null | undefined,
  path: string | null | undefined,
  capacity: number | bigint,
  _updateGeometry: boolean,
  progressFunc: VixDiskLibProgressFunc | null | undefined = null,
  progressCallbackData: unknown = null,
): Promise<VixError> {
  return callAsync(async () => {
    requireLocal(VixDiskLibConnection.of(connection));
    const sizeBytes = requireCount('capacity', capacity) * VIXDISKLIB_SECTOR_SIZE;
    await withProgress(progressFunc, progressCallbackData, () =>
      growImage(library().fileOf(path), sizeBytes),
    );
  });
}
