/** Closing goes on whatever becomes of the waiting for it: nothing is left half open because somebody had no time. */
import type { CallOptions } from './callOptions.js';
import { checkCall } from './options.js';
import { untilAborted } from './untilAborted.js';
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
  return within(what, options, (own) => untilAborted(closed, own?.signal, `the ${what}`));
}
