/** Works on one machine, one after the other: two that stop and start it at once would start it twice. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins when those before have ended, however they did. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
