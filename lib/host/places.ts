/** Room for so much work at a time, in all and of each kind. Who waits is let in in order; one whose kind is full holds nobody else up. */
import { waitFor } from '../linux/waiting.js';

/** What work takes a place of: names of kinds, each with how many there are. */
export type Kinds = ReadonlyMap<string, number>;

interface Waiting {
  kinds: Kinds;
  enter: () => void;
}

export class Places {
  readonly #taken = new Map<string, number>();
  readonly #line = new Set<Waiting>();

  /** Work that waits. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Takes a place of each kind, waiting for it; gives how to leave, once. */
  async enter(
    kinds: Kinds,
    { signal, timeoutMs, onTimeout }: Parameters<typeof waitFor>[1],
  ): Promise<() => void> {
    await waitFor<void>(
      (resolve) => {
        const waiting: Waiting = { kinds, enter: resolve };
        this.#line.add(waiting);
        this.#letIn();
        return () => {
          this.#line.delete(waiting);
        };
      },
      { signal, timeoutMs, onTimeout },
    );
    let left = false;
    return () => {
      if (left) return;
      left = true;
      for (const kind of kinds.keys()) this.#count(kind, -1);
      this.#letIn();
    };
  }

  #letIn(): void {
    for (const waiting of this.#line) {
      const room = [...waiting.kinds].every(([kind, most]) => (this.#taken.get(kind) ?? 0) < most);
      if (!room) continue;
      this.#line.delete(waiting);
      for (const kind of waiting.kinds.keys()) this.#count(kind, 1);
      waiting.enter();
    }
  }

  #count(kind: string, by: number): void {
    const now = (this.#taken.get(kind) ?? 0) + by;
    if (now === 0) this.#taken.delete(kind);
    else this.#taken.set(kind, now);
  }
}
