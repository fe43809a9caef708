/**
 * Waiting on a signal together: however many wait, the signal has one listener of ours. Node takes more than ten of them for
 * a leak, and says so on stderr, which is the caller's.
 */
import { requireAbortSignal } from './errors.js';

interface Waiting {
  acts: Set<{ act: () => void }>;
  fire: () => void;
}

const waitingOn = new WeakMap<AbortSignal, Waiting>();

/** Calls `act` when the signal fires; returns how to call that off. A signal that fired before is for the caller to look at. */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal === undefined) return () => undefined;
  requireAbortSignal('signal', signal);
  const waiting = waitingOn.get(signal) ?? listen(signal);
  const entry = { act };
  waiting.acts.add(entry);
  return () => {
    if (!waiting.acts.delete(entry) || waiting.acts.size > 0) return;
    // A listener would keep a signal that follows another one alive as long as that one.
    signal.removeEventListener('abort', waiting.fire);
    if (waitingOn.get(signal) === waiting) waitingOn.delete(signal);
  };
}

function listen(signal: AbortSignal): Waiting {
  const acts: Waiting['acts'] = new Set();
  const fire = (): void => {
    waitingOn.delete(signal);
    for (const entry of [...acts]) if (acts.delete(entry)) entry.act();
  };
  signal.addEventListener('abort', fire, { once: true });
  const waiting = { acts, fire };
  waitingOn.set(signal, waiting);
  return waiting;
}
