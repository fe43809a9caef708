/** Work that either of two signals ends: that of a question, and that of the one who reads its answer. */
import { throwIfAborted } from './errors.js';
import { onAbort } from './onAbort.js';

/** Runs the work with a signal that fires with the first of both; nothing listens on either afterwards. */
export async function underBoth<T>(
  one: AbortSignal | undefined,
  other: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (one === undefined || other === undefined || one === other) return work(one ?? other);
  throwIfAborted(one);
  throwIfAborted(other);
  const stop = new AbortController();
  const callOffs = [one, other].map((signal) => onAbort(signal, () => stop.abort(signal.reason)));
  try {
    return await work(stop.signal);
  } finally {
    for (const callOff of callOffs) callOff();
  }
}
