/** The border of a call: what is thrown inside becomes its code, and the reason stays readable for the client. */
import { VIX_OK, type VixError } from './constants/codes.js';
import { library } from './library.js';

/** Runs the inside of a call that does no I/O. */
export function call(work: () => void): VixError {
  try {
    work();
    return VIX_OK;
  } catch (thrown) {
    return library().answer(thrown);
  }
}

/** Runs the inside of a call that does I/O. */
export async function callAsync(work: () => Promise<void>): Promise<VixError> {
  try {
    await work();
    return VIX_OK;
  } catch (thrown) {
    return library().answer(thrown);
  }
}
