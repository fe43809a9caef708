/**
 * Looking whether what was read is what it should be. A look costs a round trip to QEMU and counts for every read that had arrived
 * when it began, so reads share them: with half of the reads still on their way a look begins, and is over when the others arrive.
 */

/** Longest that a read which has arrived waits for others to share its look. */
const PATIENCE_MS = 5;

export class Looks {
  readonly #check: (() => Promise<void>) | null;
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #coming = 0;
  #looking = false;
  #late: NodeJS.Timeout | null = null;

  /** `check` throws when what was read before it began cannot be trusted; null where that cannot happen. */
  constructor(check: (() => Promise<void>) | null) {
    this.#check = check;
  }

  /** Done when the read has arrived, and a look that began afterwards found all in order; `meanwhile` runs while it looks. */
  async after<T>(read: () => Promise<T>, meanwhile?: () => void): Promise<T> {
    this.#coming += 1;
    let result: T;
    try {
      result = await read();
    } catch (error) {
      this.#coming -= 1;
      this.#lookWhenWorthIt();
      throw error;
    }
    this.#coming -= 1;
    const looked = this.#check === null ? undefined : this.#look();
    meanwhile?.();
    await looked;
    return result;
  }

  #look(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#lookWhenWorthIt();
    });
  }

  #lookWhenWorthIt(): void {
    if (this.#looking || this.#waiting.length === 0) return;
    if (this.#waiting.length >= this.#coming) void this.#lookNow();
    else this.#late ??= setTimeout(() => void this.#lookNow(), PATIENCE_MS);
  }

  /** Those that arrive while it looks wait for the next one: it may have begun before they were read. */
  async #lookNow(): Promise<void> {
    if (this.#late !== null) clearTimeout(this.#late);
    this.#late = null;
    if (this.#looking || this.#waiting.length === 0) return;
    this.#looking = true;
    const sharing = this.#waiting.splice(0);
    try {
      await this.#check?.();
      for (const { resolve } of sharing) resolve();
    } catch (error) {
      for (const { reject } of sharing) reject(error);
    }
    this.#looking = false;
    this.#lookWhenWorthIt();
  }
}
