/**
 * Long work in small steps: after each step the event loop gets a turn and the caller's signal is looked at. Work is
 * counted, not timed, so that a run is the same every time.
 */
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../../core/errors.js';

/** Units of work (a range, a word of bits, a table entry) between two rests: about a millisecond. */
const STEP_UNITS = 1 << 16;

export class Pace {
  readonly #signal: AbortSignal | undefined;
  #left = STEP_UNITS;

  constructor(signal: AbortSignal | undefined) {
    throwIfAborted(signal);
    this.#signal = signal;
  }

  /** Counts work that was done; true when {@link rest} is due. */
  spent(units: number): boolean {
    this.#left -= units;
    return this.#left <= 0;
  }

  /** Lets others run. Throws `ERR_CBT_ABORTED` when the caller has given up meanwhile. */
  async rest(): Promise<void> {
    await setImmediate();
    this.#left = STEP_UNITS;
    this.check();
  }

  /** For after a wait that was not a rest, such as a read. */
  check(): void {
    throwIfAborted(this.#signal);
  }
}
