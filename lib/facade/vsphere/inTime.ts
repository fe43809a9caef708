/** What every call of the objects does with its caller's signal and time, and with what is thrown inside it. */
import { inCallersTime } from '../../core/callersTime.js';
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError } from '../../core/errors.js';
import { Timedout } from './faultClasses.js';
import { toFault } from './faults.js';
import { MethodFault } from './methodFault.js';

/**
 * Does the work within the caller's signal and time; not at all for a signal that has fired. Throws a fault: RequestCanceled where it was
 * called off, Timedout where it was late, else that of the work.
 */
export async function inTime<T>(
  what: string,
  options: CallOptions | undefined,
  work: (own: CallOptions) => Promise<T>,
): Promise<T> {
  try {
    return await inCallersTime(what, options, async (own) => {
      try {
        return await work(own);
      } catch (thrown) {
        throw calledOff(thrown) ?? toFault(thrown);
      }
    });
  } catch (thrown) {
    // What was late inside is a fault by now: this is the caller's own time.
    throw CbtError.is(thrown, 'ERR_CBT_TIMEOUT') ? new Timedout(thrown.message, {}, thrown) : toFault(thrown);
  }
}

/** What ended by its signal, whoever made a fault of it: what is around it knows whether the caller called it off or it was late. */
export function calledOff(thrown: unknown): CbtError | null {
  const error = thrown instanceof MethodFault ? thrown.cause : thrown;
  return CbtError.is(error, 'ERR_CBT_ABORTED') ? error : null;
}
