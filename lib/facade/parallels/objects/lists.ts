/** Lists of texts and of handles, which calls take and give. */
import { PHT_HANDLES_LIST, PHT_STRINGS_LIST, type PRL_HANDLE } from '../constants/handleTypes.js';
import { invalid } from '../errors.js';
import { type PrlObject, runtime } from '../runtime.js';

/** The item at an index; past the last it is the SDK's PRL_ERR_INVALID_ARG. */
function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw invalid('index', `below ${items.length}, the number of items`);
  return item;
}

export class StringsList implements PrlObject {
  readonly handleType = PHT_STRINGS_LIST;
  readonly #items: string[] = [];

  get count(): number {
    return this.#items.length;
  }

  add(item: string): void {
    this.#items.push(item);
  }

  get(index: number): string {
    return at(this.#items, index);
  }

  remove(index: number): void {
    at(this.#items, index);
    this.#items.splice(index, 1);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

/** A program may have freed a handle once too often. */
function alive(handle: PRL_HANDLE): PrlObject {
  const object = runtime().table.get(handle, Object);
  if (object === undefined) throw invalid('list', 'a list whose handles are live');
  return object as PrlObject;
}

/** What is in it lives until it is taken out, or the list is freed. */
export class HandlesList implements PrlObject {
  readonly handleType = PHT_HANDLES_LIST;
  readonly #items: PRL_HANDLE[] = [];

  get count(): number {
    return this.#items.length;
  }

  get objects(): PrlObject[] {
    return this.#items.map(alive);
  }

  add(handle: PRL_HANDLE): void {
    const object = runtime().table.get(handle, Object);
    // A list in itself would never be freed.
    if (object === undefined || object instanceof HandlesList)
      throw invalid('item', 'a live handle, of anything but a list of handles');
    runtime().table.addReference(handle);
    this.#items.push(handle);
  }

  get(index: number): PrlObject {
    return alive(at(this.#items, index));
  }

  async remove(index: number): Promise<void> {
    const handle = at(this.#items, index);
    this.#items.splice(index, 1);
    await this.#release(handle);
  }

  async close(): Promise<void> {
    for (const handle of this.#items.splice(0)) await this.#release(handle);
  }

  async #release(handle: PRL_HANDLE): Promise<void> {
    const object = runtime().table.release(handle);
    if (object !== undefined && object !== null) await (object as PrlObject).close();
  }
}
