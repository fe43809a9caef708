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
