import { call, callAsync } from '../call.js';
import { VIX_ASYNC, VIX_OK, type VixError } from '../constants/codes.js';
import { invalid } from '../errors.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import type { VixDiskLibCompletionCB } from '../types.js';

/**
 * As {@link VixDiskLib_Read}, many at a time: answers VIX_ASYNC at once, and the callback gets the outcome. The buffer is the library's until then. What
 * is on its way is bounded; the rest waits its turn.
 */
export function VixDiskLib_ReadAsync(
  diskHandle: VixDiskLibHandle | null,
  startSector: number | bigint,
  numSectors: number | bigint,
  readBuffer: Uint8Array | null,
  callback: VixDiskLibCompletionCB | null,
  cbData: unknown,
): VixError {
  const started = call(() => {
    const handle = VixDiskLibHandle.of(diskHandle);
    if (typeof callback !== 'function') throw invalid('callback', 'a function');
    handle.start(
      numSectors,
      async () => {
        const result = await callAsync(() => handle.read(startSector, numSectors, readBuffer));
        callback(cbData, result);
      },
      // What the callback throws is the program's own, and must not vanish.
      (thrown) => {
        if (thrown === undefined) return;
        queueMicrotask(() => {
          throw thrown;
        });
      },
    );
  });
  return started === VIX_OK ? VIX_ASYNC : started;
}
