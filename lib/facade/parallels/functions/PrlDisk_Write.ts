import { type PrlBuffer, requireBuffer, requireCount } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Disk, SECTOR_BYTES } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Writes `sizeBytes` bytes of the buffer at sector `offset`, whole or with an error. A local image takes whole sectors only.
 * @param disk Handle of a disk.
 * @param buffer The bytes.
 * @param sizeBytes How many bytes.
 * @param offset Where it begins, in sectors of 512 bytes.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlDisk_Write(disk, buffer, 65_536, 0);
 * ```
 */
export async function PrlDisk_Write(
  disk: PRL_HANDLE,
  buffer: PrlBuffer | null,
  sizeBytes: number,
  offset: number | bigint,
): Promise<PRL_RESULT> {
  return callAsync(async () => {
    const opened = takeAnyTime('disk', disk, Disk);
    const source = requireBuffer('buffer', buffer, sizeBytes, opened.needsSectors ? SECTOR_BYTES : 1);
    await opened.write(requireCount('offset', offset) * SECTOR_BYTES, source);
  });
}
