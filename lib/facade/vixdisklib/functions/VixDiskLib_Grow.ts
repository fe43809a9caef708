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
