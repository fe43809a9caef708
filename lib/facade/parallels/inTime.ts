/** What every call of the objects does with its caller's signal and time, and with what is thrown inside it. */

import { inCallersTime } from '../../core/callersTime.js';
import type { CallOptions } from '../../core/callOptions.js';
import { closing } from '../../core/closing.js';
import { CbtError } from '../../core/errors.js';
import { type Checks, checkOptions } from '../../core/options.js';
import type { PRL_RESULT } from './constants/results.js';
import { PrlError, toPrlError } from './errors.js';

/**
 * Does the work within the caller's signal and time; not at all for a signal that has fired. Throws a `PrlError`: that of the caller's
 * own time, else the code of the work, `otherwise` where it has none of its own.
 */
export async function inTime<T>(
  what: string,
  options: CallOptions | undefined,
  work: (own: CallOptions) => Promise<T>,
  otherwise?: PRL_RESULT,
): Promise<T> {
  try {
    return await inCallersTime(what, options, async (own) => {
      try {
        return await work(own);
      } catch (thrown) {
        throw calledOff(thrown) ?? toPrlError(thrown, otherwise);
      }
    });
  } catch (thrown) {
    throw toPrlError(thrown);
  }
}

/** What ended by its signal, whoever gave it a code already: what is around it knows whether the caller called it off or it was late. */
function calledOff(thrown: unknown): CbtError | null {
  const error = thrown instanceof PrlError ? thrown.cause : thrown;
  return CbtError.is(error, 'ERR_CBT_ABORTED') ? error : null;
}

/** Begins the closing, and waits for it with the caller's own signal and time. */
export async function closeInTime(
  what: string,
  options: CallOptions | undefined,
  close: () => Promise<void>,
): Promise<void> {
  try {
    await closing(what, options, close);
  } catch (thrown) {
    throw toPrlError(thrown);
  }
}

/** Refuses options that are not what they must be; those of every call are checked by the call. */
export function requireOptions<Options>(
  what: string,
  options: Options | undefined,
  checks: Checks<Options>,
): void {
  try {
    checkOptions(what, options, checks);
  } catch (thrown) {
    throw toPrlError(thrown);
  }
}
