/** Work on something that can be closed: none starts afterwards, and closing waits for what is under way. */
import { CbtError } from './errors.js';

export class UntilClosed {
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;
  #why: CbtError | undefined;

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws `ERR_CBT_CLOSED` for `disk` when it is closed, or why it was lost. */
  async run<T>(disk: string, work: () => Promise<T>): Promise<T> {
    this.requireOpen(disk);
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  requireOpen(disk: string): void {
    if (this.#closed && this.#why !== undefined) throw this.#why.about(disk);
    if (this.#closed) throw new CbtError('ERR_CBT_CLOSED', `disk ${disk} is closed`, { disk });
  }

  /** Nothing starts from now on; `why`: it is not closed, but lost. */
  stop(why?: CbtError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#why = why;
  }

  /** Resolves when what was under way has ended, well or not. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
