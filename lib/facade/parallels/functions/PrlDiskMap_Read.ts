import type { Ref } from '../../ref.js';
import { bytesOf, type PrlBuffer, requireRef, requireUint32 } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_BUFFER_OVERRUN, type PRL_RESULT } from '../constants/results.js';
import { invalid, PrlError } from '../errors.js';
import { DiskMap } from '../objects/diskMap.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Copies the whole map: bit n is in byte n >> 3, mask 1 << (n & 7). There is no cursor. Buffer NULL: `capacity` becomes the bytes needed.
 * Too small a capacity, 0 included: PRL_ERR_BUFFER_OVERRUN, `capacity` becomes the bytes needed, the buffer stays as it is.
 * @param map Handle of a map.
 * @param buffer Takes the bits, the first one lowest; NULL to ask for the length.
 * @param capacity Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const capacity = ref(0);
 * PrlDiskMap_Read(map, null, capacity);
 * const bits = Buffer.alloc(capacity.value);
 * const code = PrlDiskMap_Read(map, bits, capacity);
 * ```
 */
export function PrlDiskMap_Read(
  map: PRL_HANDLE,
  buffer: PrlBuffer | null,
  capacity: Ref<number> | null,
): PRL_RESULT {
  return call(() => {
    const taken = takeAnyTime('map', map, DiskMap);
    const box = requireRef('capacity', capacity);
    const needed = taken.byteLength;
    if (buffer === null) {
      box.value = needed;
      return;
    }
    const given = requireUint32('capacity', box.value);
    if (given < needed) {
      box.value = needed;
      throw new PrlError(PRL_ERR_BUFFER_OVERRUN, `the map has ${needed} bytes, the buffer ${given}`);
    }
    const target = bytesOf(buffer);
    if (target === null || target.length < needed)
      throw invalid('buffer', `a Buffer or typed array of at least ${needed} bytes, or null`);
    taken.copyTo(target);
    box.value = needed;
  });
}
