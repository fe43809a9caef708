import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { unlinkImage } from '../objects/image.js';
import { requireLocal } from '../objects/parameters.js';

/**
 * Removes an image; what is no image is left alone.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @param path Absolute path of the image, or `[store] folder/name`.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Unlink(connection, '/vm/old.qcow2');
 * ```
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
