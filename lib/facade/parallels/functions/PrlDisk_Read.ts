import { type PrlBuffer, requireBuffer, requireCount } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Disk, SECTOR_BYTES } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Reads `sizeBytes` bytes from sector `offset` (512 bytes each) into the buffer, whole or not at all. The last granule of 64 KiB may be
 * read to its end where the disk ends inside it: what lies past the disk reads as zeros. A local image takes whole sectors only.
 * @param disk Handle of a disk.
 * @param buffer Takes the bytes.
 * @param sizeBytes How many bytes.
 * @param offset Where it begins, in sectors of 512 bytes.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlDisk_Read(disk, buffer, 65_536, 0);
 * ```
 */
export async function PrlDisk_Read(
  disk: PRL_HANDLE,
  buffer: PrlBuffer | null,
  sizeBytes: number,
  offset: number | bigint,
): Promise<PRL_RESULT> {
  return callAsync(async () => {
    const opened = takeAnyTime('disk', disk, Disk);
    const target = requireBuffer('buffer', buffer, sizeBytes, opened.needsSectors ? SECTOR_BYTES : 1);
    await opened.read(requireCount('offset', offset) * SECTOR_BYTES, target);
  });
}
