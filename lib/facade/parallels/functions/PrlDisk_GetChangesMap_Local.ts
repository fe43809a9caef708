import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';
import { Disk } from '../objects/disk.js';
import { give, runtime, takeAnyTime } from '../runtime.js';

/**
 * The map of what changed on the disk since the point in time `pit1`, up to `pit2`, or with `pit2` NULL up to what the handle shows.
 * `pit1` NULL: what holds data. UUIDs in any spelling. A point in time that is unknown, or whose tracking was lost, is
 * PRL_ERR_NO_DATA: make a full backup. The map is taken whole and never changes; free it with PrlHandle_Free.
 * @param disk Handle of a disk.
 * @param pit1 UUID of the earlier point; NULL for what is allocated.
 * @param pit2 UUID of the later point; NULL for the state that the disk shows.
 * @param map Box for the map.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const changes = ref<number>();
 * const code = await PrlDisk_GetChangesMap_Local(disk, '{3f2504e0-4f89-11d3-9a0c-0305e82c3301}', null, changes);
 * ```
 */
export async function PrlDisk_GetChangesMap_Local(
  disk: PRL_HANDLE,
  pit1: string | null,
  pit2: string | null,
  map: Ref<PRL_HANDLE | undefined> | null,
): Promise<PRL_RESULT> {
  return callAsync(async () => {
    const opened = takeAnyTime('disk', disk, Disk);
    const out = requireRef('map', map);
    for (const [argument, pit] of [
      ['pit1', pit1],
      ['pit2', pit2],
    ] as const)
      if (pit !== null && typeof pit !== 'string') throw invalid(argument, 'a UUID or null');
    runtime().requireInitialised();
    give(out, await opened.getChangesMap(pit1, pit2));
  });
}
