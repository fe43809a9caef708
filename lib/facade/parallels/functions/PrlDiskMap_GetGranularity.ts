import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { DiskMap } from '../objects/diskMap.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Bytes of the disk behind one bit: 65536, or for the bitmap of a Parallels image its own.
 * @param map Handle of a map.
 * @param granularity Box for the bytes that one bit stands for.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const bytes = ref<number>();
 * const code = PrlDiskMap_GetGranularity(map, bytes);
 * ```
 */
export function PrlDiskMap_GetGranularity(
  map: PRL_HANDLE,
  granularity: Ref<number | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const { granularityBytes } = takeAnyTime('map', map, DiskMap);
    requireRef('granularity', granularity).value = granularityBytes;
  });
}
