/** A limit of bytes a second over all disks of a run, with bursts of a quarter of a second. */
import { throwIfAborted } from '../core/errors.js';
import { onAbort } from '../core/onAbort.js';

const BURST_SECONDS = 0.25;

export class RateLimit {
  readonly #bytesPerSecond: number;
  /** When the bytes taken so far have all been paid for, in milliseconds. */
  #paidUntil = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits until these bytes may be moved. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const now = performance.now();
    const start = Math.max(this.#paidUntil, now - BURST_SECONDS * 1000);
    this.#paidUntil = start + (1000 * bytes) / this.#bytesPerSecond;
    const wait = this.#paidUntil - now;
    if (wait <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, wait);
      const callOff = onAbort(signal, done);
      function done(): void {
        clearTimeout(timer);
        callOff();
        resolve();
      }
    });
    throwIfAborted(signal);
  }
}
