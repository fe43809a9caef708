/** Functions that are told when a job has ended, by the object that the job was asked of. */
import { warnOfCallback } from '../../../core/failedCallback.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';

/** Called with the handle of a job that has ended, which is the function's to free, and the data it was registered with. */
export type PRL_EVENT_HANDLER_PTR = (event: PRL_HANDLE, userData: unknown) => unknown;

interface Registered {
  handler: PRL_EVENT_HANDLER_PTR;
  data: unknown;
}

export class EventHandlers {
  readonly #of = new WeakMap<object, Registered[]>();
  readonly #give: (object: never) => PRL_HANDLE;

  /** `give` gives an object a handle; it throws where nobody can be told any more. */
  constructor(give: (object: never) => PRL_HANDLE) {
    this.#give = give;
  }

  add(object: object, handler: PRL_EVENT_HANDLER_PTR, data: unknown): void {
    const registered = this.#of.get(object) ?? [];
    this.#of.set(object, [...registered, { handler, data }]);
  }

  /** False where it was not registered with this data. */
  remove(object: object, handler: PRL_EVENT_HANDLER_PTR, data: unknown): boolean {
    const registered = this.#of.get(object) ?? [];
    const left = registered.filter((one) => one.handler !== handler || one.data !== data);
    this.#of.set(object, left);
    return left.length < registered.length;
  }

  /** Each gets a reference of its own. */
  tell(object: object, event: object): void {
    for (const { handler, data } of this.#of.get(object) ?? []) {
      let handle: PRL_HANDLE;
      try {
        handle = this.#give(event as never);
      } catch {
        return;
      }
      try {
        handler(handle, data);
      } catch (thrown) {
        warnOfCallback('an event handler failed', thrown);
      }
    }
  }
}
