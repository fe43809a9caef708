import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Disk } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Everything written to the disk is on stable storage when this succeeds. (The SDK's does nothing.)
 * @param disk Handle of a disk.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlDisk_FlushCache(disk);
 * ```
 */
export async function PrlDisk_FlushCache(disk: PRL_HANDLE): Promise<PRL_RESULT> {
  return callAsync(() => takeAnyTime('disk', disk, Disk).flush());
}
