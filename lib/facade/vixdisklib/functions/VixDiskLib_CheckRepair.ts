import { callAsync } from '../call.js';
import {
  VIX_E_DISK_NEEDSREPAIR,
  VIX_E_FILE_ALREADY_LOCKED,
  VIX_E_FILE_NOT_FOUND,
  type VixError,
} from '../constants/codes.js';
import { codeOf, VixFailure } from '../errors.js';
import { library } from '../library.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import { checkImage, requireFile } from '../objects/image.js';
import { requireLocal } from '../objects/parameters.js';

/** Codes that say nothing about what is in the image. */
const ITS_OWN: readonly VixError[] = [VIX_E_FILE_NOT_FOUND, VIX_E_FILE_ALREADY_LOCKED];

/**
 * Checks an image, and repairs it where asked to; VIX_E_DISK_NEEDSREPAIR where something is wrong with it still.
 */
export async function VixDiskLib_CheckRepair(
  connection: VixDiskLibConnection | null,
  filename: string | null,
  repair: boolean,
): Promise<VixError> {
  return callAsync(async () => {
    requireLocal(VixDiskLibConnection.of(connection));
    const file = library().fileOf(filename);
    await requireFile(file);
    await checkImage(file, repair).catch((cause: unknown) => {
      if (ITS_OWN.includes(codeOf(cause)) || cause instanceof VixFailure) throw cause;
      throw new VixFailure(VIX_E_DISK_NEEDSREPAIR, cause instanceof Error ? cause.message : String(cause), {
        cause,
      });
    });
  });
}
