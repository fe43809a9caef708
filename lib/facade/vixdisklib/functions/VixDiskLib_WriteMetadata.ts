import { callAsync } from '../call.js';
import { VIX_E_FILE_READ_ONLY, type VixError } from '../constants/codes.js';
import { invalid, VixFailure } from '../errors.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import { writeMetadata } from '../objects/metadata.js';

/**
 * Sets the text of a key.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param key Name of the value.
 * @param val The value, a text.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_WriteMetadata(handle, 'backup', 'monday');
 * ```
 */
export async function VixDiskLib_WriteMetadata(
  diskHandle: VixDiskLibHandle | null | undefined,
  key: string,
  val: string,
): Promise<VixError> {
  return callAsync(async () => {
    const { disk } = VixDiskLibHandle.of(diskHandle);
    for (const text of [key, val])
      if (typeof text !== 'string' || text.includes('\0') || text.length > 4096)
        throw invalid('key and val', 'texts of at most 4096 characters without NUL');
    if (key === '') throw invalid('key', 'a name');
    if (disk.data.info.readOnly)
      throw new VixFailure(VIX_E_FILE_READ_ONLY, `${disk.path} is open for reading`);
    await writeMetadata(disk.file, key, val);
  });
}
