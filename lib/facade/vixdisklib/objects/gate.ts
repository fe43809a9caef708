/**
 * Lets so many bytes through at a time, the others in the order in which they came. What is not yet asked for costs the server
 * nothing: with few megabytes on their way, its memory and ours stay in the processor's caches.
 */
export class Gate {
  readonly #limit: number;
  readonly #queue: { bytes: number; go: () => void }[] = [];
  #inside = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** Runs the work when there is room; what is longer than the limit goes alone. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#queue.length > 0 || !this.#fits(bytes))
      await new Promise<void>((go) => this.#queue.push({ bytes, go }));
    else this.#inside += bytes;
    try {
      return await work();
    } finally {
      this.#inside -= bytes;
      this.#letIn();
    }
  }

  #fits(bytes: number): boolean {
    return this.#inside === 0 || this.#inside + bytes <= this.#limit;
  }

  #letIn(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#fits(next.bytes); next = this.#queue[0]) {
      this.#queue.shift();
      this.#inside += next.bytes;
      next.go();
    }
  }
}
