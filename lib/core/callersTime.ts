/** What a call does that takes nothing but its caller's signal and time. */
import type { CallOptions } from './callOptions.js';
import { throwIfAborted } from './errors.js';
import { checkCall } from './options.js';
import { within } from './within.js';

/** Checks them, and does the work within them; not at all for a signal that has fired. `what`: the call, for messages. */
export async function inCallersTime<T>(
  what: string,
  options: CallOptions | undefined,
  work: (own: CallOptions) => Promise<T>,
): Promise<T> {
  checkCall(what, options);
  return within(what, options, async (own = {}) => {
    throwIfAborted(own.signal);
    return await work(own);
  });
}
