/**
 * The border of an SDK call: what is thrown inside becomes a number, and the last reason for each number stays readable through
 * PrlApi_GetResultDescription.
 */
import { PRL_ERR_SUCCESS, type PRL_RESULT } from './constants/results.js';
import { runtime } from './runtime.js';

/** Runs the inside of an SDK call that does no I/O. */
export function call(work: () => void): PRL_RESULT {
  try {
    work();
    return PRL_ERR_SUCCESS;
  } catch (thrown) {
    return runtime().answer(thrown);
  }
}

/** Runs the inside of an SDK call that does I/O. */
export async function callAsync(work: () => Promise<void>): Promise<PRL_RESULT> {
  try {
    await work();
    return PRL_ERR_SUCCESS;
  } catch (thrown) {
    return runtime().answer(thrown);
  }
}
