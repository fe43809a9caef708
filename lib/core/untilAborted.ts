/** Waiting for what goes on whatever becomes of the waiting. */
import { CbtError } from './errors.js';
import { onAbort } from './onAbort.js';

/** What the promise gives, or `ERR_CBT_ABORTED` where the signal fires before; `what` goes on all the same. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, what = ''): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      const message = `cancelled by the caller${what === '' ? '' : `: ${what} goes on`}`;
      reject(new CbtError('ERR_CBT_ABORTED', message, { cause: signal.reason as unknown }));
    };
    if (signal.aborted) return stop();
    promise.then(resolve, reject).finally(onAbort(signal, stop));
  });
}
