/** Bytes that one side makes and another takes, in order; whoever makes them waits while too many are on their way. */
import { throwIfAborted } from '../../core/errors.js';

export class HandedOn implements AsyncIterable<Uint8Array> {
  readonly #most: number;
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;
  #end: { error: unknown } | null = null;
  #gone: { error: unknown } | null = null;
  #wake: (() => void)[] = [];

  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  /** Adds the bytes, which are copied; done when there is room for more. What the taker ended with is this call's error. */
  async push(data: Uint8Array): Promise<void> {
    if (this.#gone !== null) throw this.#gone.error;
    this.#waiting.push(Uint8Array.from(data));
    this.#bytes += data.length;
    this.#wakeAll();
    while (this.#bytes > this.#most && this.#gone === null) await this.#change();
    if (this.#gone !== null) throw (this.#gone as { error: unknown }).error;
  }

  /** No more comes; with an error the taker hears it in place of an end. */
  end(error: unknown = null): void {
    this.#end ??= { error };
    this.#wakeAll();
  }

  /** Nobody takes any more. */
  stop(error: unknown): void {
    this.#gone ??= { error };
    this.#waiting.length = 0;
    this.#wakeAll();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        yield next;
        this.#bytes -= next.length;
        this.#wakeAll();
      } else if (this.#end !== null) {
        if (this.#end.error !== null) throw this.#end.error;
        return;
      } else if (this.#gone !== null) throw this.#gone.error;
      else await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake.push(resolve);
    });
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** The bytes as they come, unless the signal fires: a target that does not look at it ends all the same. */
export async function* untilAborted(
  data: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of data) {
    throwIfAborted(signal);
    yield piece;
  }
}
