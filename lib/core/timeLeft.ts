/** A caller's time over several steps: what one took is gone from the next. Each step says for itself what it waited for in vain. */
import type { CallOptions } from './callOptions.js';

/** The signal, and what is left of the time whenever it is asked; at least a millisecond, after which the step is late. */
export function timeLeft({ signal, timeoutMs }: CallOptions): () => CallOptions {
  if (timeoutMs === undefined) return () => ({ signal });
  const endsAt = performance.now() + timeoutMs;
  return () => ({ signal, timeoutMs: Math.max(1, Math.ceil(endsAt - performance.now())) });
}
