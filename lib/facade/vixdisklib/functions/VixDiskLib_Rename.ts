import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import { renameImage } from '../objects/image.js';

/**
 * Renames an image, on one file system. Extents of a VMDK that lie in files of their own are not renamed.
 * @param srcFileName Absolute path of the image.
 * @param dstFileName Its new path; no file may be there.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_Rename('/vm/disk.qcow2', '/vm/renamed.qcow2');
 * ```
 */
export async function VixDiskLib_Rename(
  srcFileName: string | null | undefined,
  dstFileName: string | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    library().requireInitialised();
    await renameImage(library().fileOf(srcFileName), library().fileOf(dstFileName));
  });
}
