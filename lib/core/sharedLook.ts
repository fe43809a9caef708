/**
 * Looks at what changes all the time, shared by those who ask in one turn of the event loop: of many disks each is asked for by itself, and
 * what is looked at is the same. A look begins after everybody who shares it has asked, so nobody is told anything older than his question.
 */

export class SharedLook<T> {
  readonly #look: () => Promise<T>;
  /** The one that has not begun. */
  #next: Promise<T> | null = null;

  constructor(look: () => Promise<T>) {
    this.#look = look;
  }

  /** What a look tells that begins after this call. It goes on whatever becomes of those who wait. */
  ask(): Promise<T> {
    this.#next ??= this.#begin();
    return this.#next;
  }

  async #begin(): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    // Before it looks: whoever asks from here on wants a later one.
    this.#next = null;
    return this.#look();
  }
}
