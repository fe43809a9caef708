/** A deadline of a caller's own on one call, whatever else goes on: the call is cancelled as by its signal, and says that it was late. */
import type { CallOptions } from './callOptions.js';
import { CbtError, isAbortSignal } from './errors.js';
import { onAbort } from './onAbort.js';

/**
 * Runs the work with the caller's options, where they have a `timeoutMs` with a signal that fires then too. Options that are not what
 * they must be go on as they are: the work refuses them before it begins.
 */
export async function within<Options extends CallOptions, T>(
  what: string,
  options: Options | undefined,
  work: (options: Options | undefined) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = options ?? {};
  if (options === undefined || !isTime(timeoutMs) || !(signal === undefined || isWaiting(signal))) {
    return work(options);
  }
  const stop = new AbortController();
  const late = new CbtError('ERR_CBT_TIMEOUT', `${what} was given ${timeoutMs} ms, and they are over`, {
    details: { timeoutMs },
  });
  const timer = setTimeout(() => stop.abort(late), timeoutMs);
  const callOff = onAbort(signal, () => stop.abort(signal?.reason));
  try {
    // What waits below has limits of its own, and the deadline is one for all of it.
    return await work({ ...options, timeoutMs: undefined, signal: stop.signal });
  } catch (error) {
    throw stop.signal.reason === late && CbtError.is(error, 'ERR_CBT_ABORTED') ? lateBy(late, error) : error;
  } finally {
    clearTimeout(timer);
    callOff();
  }
}

/** What the cancelled call tells beside (a point in time that stays, an image that is restored in part) is told all the same. */
function lateBy({ message, details }: CbtError, error: CbtError): CbtError {
  const stays = 'pointStays' in error.details || 'inPart' in error.details ? `: ${error.message}` : '';
  return new CbtError('ERR_CBT_TIMEOUT', `${message}${stays}`, {
    ...(error.disk !== undefined && { disk: error.disk }),
    ...(error.disks !== undefined && { disks: error.disks }),
    details: { ...error.details, ...details },
    cause: error,
  });
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= 2 ** 31 - 1;
}

/** Not fired yet; one that has fired, or is none, is for the work to refuse. */
function isWaiting(signal: unknown): boolean {
  return isAbortSignal(signal) && !signal.aborted;
}
