import type { Ref } from '../../ref.js';
import { requireCount, requireRef, requireText } from '../arguments.js';
import { callAsync } from '../call.js';
import { PRL_DISK_DEFAULT } from '../constants/flags.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import {
  PRL_ERR_DISK_CREATE_IMAGE_ERROR,
  PRL_ERR_DISK_FILE_EXISTS,
  PRL_ERR_UNIMPLEMENTED,
  type PRL_RESULT,
} from '../constants/results.js';
import { invalid, PrlError, toPrlError } from '../errors.js';
import { createImage } from '../objects/createImage.js';
import { SECTOR_BYTES } from '../objects/disk.js';
import { openPrlDisk } from '../objects/openDisk.js';
import { give, runtime } from '../runtime.js';
import type { PRL_DISK_PARAMETERS } from '../structs.js';

/**
 * Makes a qcow2 image of `m_SizeInSectors` sectors and opens it for reading and writing. A file of that name is
 * PRL_ERR_DISK_FILE_EXISTS and stays as it is; a callback is PRL_ERR_UNIMPLEMENTED, as in the SDK.
 * @param disk Box for the disk.
 * @param name Path of the image, which must not be there.
 * @param parameters The size counts, in sectors of 512 bytes.
 * @param callback Must be NULL.
 * @param _parameter Not looked at.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const made = ref<number>();
 * const code = await PrlDisk_CreateDisk_Local(made, '/vm/new.qcow2', { m_SizeInSectors: 2_097_152 });
 * ```
 */
export async function PrlDisk_CreateDisk_Local(
  disk: Ref<PRL_HANDLE | undefined> | null,
  name: string | null,
  parameters: Pick<PRL_DISK_PARAMETERS, 'm_SizeInSectors'> | null,
  callback: unknown = null,
  _parameter: unknown = null,
): Promise<PRL_RESULT> {
  return callAsync(async () => {
    runtime().requireInitialised();
    const out = requireRef('disk', disk);
    const path = requireText('name', name);
    if (typeof parameters !== 'object' || parameters === null)
      throw invalid('parameters', 'PRL_DISK_PARAMETERS');
    if (callback !== null) throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'a callback is not called: give null');
    const sizeBytes = requireCount('m_SizeInSectors', parameters.m_SizeInSectors) * SECTOR_BYTES;
    const made = await createImage(path, sizeBytes, () =>
      openPrlDisk(path, { flags: PRL_DISK_DEFAULT }),
    ).catch((thrown: unknown) => {
      throw toPrlError(thrown, PRL_ERR_DISK_CREATE_IMAGE_ERROR);
    });
    if (made === null) throw new PrlError(PRL_ERR_DISK_FILE_EXISTS, `${path} is there already`);
    give(out, made);
  });
}
