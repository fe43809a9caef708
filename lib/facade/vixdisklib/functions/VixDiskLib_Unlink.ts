import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { unlinkImage } from '../objects/image.js';
import { requireLocal } from '../objects/parameters.js';

/**
 * Removes an image; what is no image is left alone.
 */
export async function VixDiskLib_Unlink(
  connection: VixDiskLibConnection | null | undefined,
  path: string | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    requireLocal(VixDiskLibConnection.of(connection));
    await unlinkImage(library().fileOf(path));
  });
}
