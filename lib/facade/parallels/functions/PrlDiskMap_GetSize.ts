import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { DiskMap } from '../objects/diskMap.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Number of significant bits: one for each granule of the disk, the last one as short as the disk is.
 * @param map Handle of a map.
 * @param sizeBits Box for the number of bits.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const bits = ref<number>();
 * const code = PrlDiskMap_GetSize(map, bits);
 * ```
 */
export function PrlDiskMap_GetSize(map: PRL_HANDLE, sizeBits: Ref<number | undefined> | null): PRL_RESULT {
  return call(() => {
    const { sizeBits: bits } = takeAnyTime('map', map, DiskMap);
    requireRef('sizeBits', sizeBits).value = bits;
  });
}
