/**
 * Waits for what another process brings about. Vitest's own `waitFor` gives up after a second, which a busy machine takes
 * for less; this one goes on for a minute, and then says what did not come true.
 */
import { vi } from 'vitest';

const LIMIT_MS = 60_000;

/** Looks again and again until `look` does not throw; gives what it gave, or throws what it threw last. */
export function eventually<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: LIMIT_MS, interval: 10 });
}
