import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PRL_ERR_SUCCESS } from '../constants/results.js';
import { Disk } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';
import { PrlHandle_Free } from './PrlHandle_Free.js';

/**
 * As PrlHandle_Free, for a disk; a handle of another type is PRL_ERR_INVALID_ARG and stays live.
 * @param disk Handle of a disk.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = await PrlDisk_Free(disk);
 * ```
 */
export async function PrlDisk_Free(disk: PRL_HANDLE): Promise<PRL_RESULT> {
  const checked = await callAsync(async () => void takeAnyTime('disk', disk, Disk));
  return checked === PRL_ERR_SUCCESS ? PrlHandle_Free(disk) : checked;
}
