/** Closing goes on whatever becomes of the waiting for it: nothing is left half open because somebody had no time. */
import type { CallOptions } from './callOptions.js';
import { CbtError } from './errors.js';
import { onAbort } from './onAbort.js';
import { checkCall } from './options.js';
import { within } from './within.js';

/** Begins the closing, and waits for it with the caller's own signal and time. */
export async function closing(
  what: string,
  options: CallOptions | undefined,
  close: () => Promise<void>,
): Promise<void> {
  checkCall(what, options);
  const closed = close();
  if (options?.signal === undefined && options?.timeoutMs === undefined) return closed;
  closed.catch(() => undefined);
  return within(what, options, (own) => waited(what, closed, own?.signal));
}

function waited(what: string, closed: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      const message = `cancelled by the caller: the ${what} goes on`;
      reject(new CbtError('ERR_CBT_ABORTED', message, { cause: signal?.reason as unknown }));
    };
    if (signal?.aborted) return stop();
    closed.then(resolve, reject).finally(onAbort(signal, stop));
  });
}
