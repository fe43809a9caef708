import { callAsync } from '../call.js';
import { VIX_E_DISK_CANTREPAIR, type VixError } from '../constants/codes.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { checkImage, requireFile } from '../objects/image.js';
import { requireLocal } from '../objects/parameters.js';

/**
 * Checks an image, and repairs it where asked to. The code tells whether that was done, not whether the image is sound: damage that is
 * found, and is not to be repaired, is told to the log. Damage that is left by a repair is VIX_E_DISK_CANTREPAIR.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @param filename Absolute path of the image, or `[store] folder/name`.
 * @param repair Whether what can be repaired is; without it the file is only read.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = await VixDiskLib_CheckRepair(connection, '/vm/disk.qcow2', false);
 * ```
 */
export async function VixDiskLib_CheckRepair(
  connection: VixDiskLibConnection | null | undefined,
  filename: string | null | undefined,
  repair: boolean,
): Promise<VixError> {
  return callAsync(async () => {
    requireLocal(VixDiskLibConnection.of(connection));
    const file = library().fileOf(filename);
    await requireFile(file);
    const damage = await checkImage(file, repair);
    if (damage === null) return;
    if (repair) throw new VixFailure(VIX_E_DISK_CANTREPAIR, damage);
    library().say(damage);
  });
}
