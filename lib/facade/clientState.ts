/**
 * What a client of a facade has for himself, where one process serves many: the calls that run inside his state see it, and so does
 * whatever they start (timers, callbacks, work that goes on). A program that never asks for more has one state, the process's own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export class ClientState<S extends object> {
  readonly #inside = new AsyncLocalStorage<S>();
  readonly #own: S;

  constructor(own: S) {
    this.#own = own;
  }

  /** Of the client whose call is running. */
  get current(): S {
    return this.#inside.getStore() ?? this.#own;
  }

  run<T>(state: S, work: () => T): T {
    return this.#inside.run(state, work);
  }
}
