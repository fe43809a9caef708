/** A read or a write that answers at once, and tells its outcome later. */
import { call, callAsync } from '../call.js';
import { VIX_ASYNC, VIX_OK, type VixError } from '../constants/codes.js';
import { invalid } from '../errors.js';
import type { VixDiskLibCompletionCB } from '../types.js';
import { VixDiskLibHandle } from './handle.js';

export function startAsync(
  diskHandle: VixDiskLibHandle | null | undefined,
  numSectors: number | bigint,
  callback: VixDiskLibCompletionCB | null | undefined,
  cbData: unknown,
  work: (handle: VixDiskLibHandle) => Promise<void>,
): VixError {
  const started = call(() => {
    const handle = VixDiskLibHandle.of(diskHandle);
    if (typeof callback !== 'function') throw invalid('callback', 'a function');
    handle.start(
      numSectors,
      async () => callback(cbData, await callAsync(() => work(handle))),
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
