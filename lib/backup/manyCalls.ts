/** An AbortSignal for many calls at once: each listens to it, and Node takes more than ten listeners for a leak. */
import { setMaxListeners } from 'node:events';

/** Call options with a signal of its own that follows the caller's; empty without one. */
export function signalForMany(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  if (signal === undefined) return {};
  const own = AbortSignal.any([signal]);
  setMaxListeners(0, own);
  return { signal: own };
}
