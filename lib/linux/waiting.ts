/**
 * How long this layer waits: every wait on QEMU, the guest or a process has a limit and can be cancelled, and ends as a
 * coded error that says what was waited for.
 */
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { onAbort } from '../core/onAbort.js';

export interface WaitOptions {
  /** Milliseconds; above 0. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Node's timers hold 31 bits and fire at once when given more. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function checkTimeout(argument: string, value: number): number {
  if (!(Number.isFinite(value) && value > 0 && value <= MAX_TIMEOUT_MS)) {
    throw invalidArgument(argument, value, `milliseconds above 0, at most ${MAX_TIMEOUT_MS}`);
  }
  return value;
}

/**
 * Calls `start` and settles as it says, or with ERR_CBT_TIMEOUT or ERR_CBT_ABORTED, whichever is first. `start` gets
 * the two ways to settle and returns how to undo what it set up; that runs exactly once, before the promise settles.
 */
export function waitFor<T>(
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
  options: { timeoutMs: number; signal?: AbortSignal | undefined; onTimeout: () => CbtError },
): Promise<T> {
  throwIfAborted(options.signal);
  return new Promise<T>((resolve, reject) => {
    let undo: (() => void) | undefined;
    let over = false;
    const finish = (settle: () => void): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      callOff();
      undo?.();
      settle();
    };
    const stop = (): void => {
      const cause = options.signal?.reason as unknown;
      finish(() => reject(new CbtError('ERR_CBT_ABORTED', 'cancelled by the caller', { cause })));
    };
    const timer = setTimeout(() => finish(() => reject(options.onTimeout())), options.timeoutMs);
    const callOff = onAbort(options.signal, stop);
    undo = start(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    );
    // `start` may have settled at once, before it could say how to undo.
    if (over) undo();
  });
}
