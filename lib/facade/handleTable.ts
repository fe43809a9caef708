/**
 * Objects behind the opaque handles of an SDK: a number that is never used twice stands for an object until its last
 * reference is dropped. An object has one handle at a time, however often it is given out, so that freeing what one caller
 * was given never takes it from another. Whatever is not in the table (0, forged, freed, of another library) is not found.
 */

/** Numbers in order, none twice: tables that share them have no handle in common. */
export class HandleNumbers {
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  take(): number {
    const number = this.#next;
    this.#next += 1;
    return number;
  }
}

interface Entry {
  object: object;
  references: number;
}

export class HandleTable {
  readonly #entries = new Map<number, Entry>();
  readonly #handles = new Map<object, number>();
  readonly #numbers: HandleNumbers;

  constructor(numbers: HandleNumbers) {
    this.#numbers = numbers;
  }

  /** Live handles. */
  get size(): number {
    return this.#entries.size;
  }

  /** A new handle with one reference; for an object that has one already, that one with one reference more. */
  add(object: object): number {
    const there = this.#handles.get(object);
    if (there !== undefined && this.addReference(there)) return there;
    const handle = this.#numbers.take();
    this.#entries.set(handle, { object, references: 1 });
    this.#handles.set(object, handle);
    return handle;
  }

  /** The object, when the handle is live and the object of that class. */
  get<T extends object>(handle: unknown, type: abstract new (...args: never[]) => T): T | undefined {
    const object = this.#entry(handle)?.object;
    return object instanceof type ? object : undefined;
  }

  has(handle: unknown): boolean {
    return this.#entry(handle) !== undefined;
  }

  /** False for a handle that is not live. */
  addReference(handle: unknown): boolean {
    const entry = this.#entry(handle);
    if (entry === undefined) return false;
    entry.references += 1;
    return true;
  }

  /** Drops one reference; the object when that was the last one, null when others are left, undefined when not live. */
  release(handle: unknown): object | null | undefined {
    const entry = this.#entry(handle);
    if (entry === undefined) return undefined;
    entry.references -= 1;
    if (entry.references > 0) return null;
    this.#entries.delete(handle as number);
    this.#handles.delete(entry.object);
    return entry.object;
  }

  /** Takes every handle out; the objects, each once. */
  clear(): object[] {
    const objects = [...this.#handles.keys()];
    this.#entries.clear();
    this.#handles.clear();
    return objects;
  }

  #entry(handle: unknown): Entry | undefined {
    return typeof handle === 'number' ? this.#entries.get(handle) : undefined;
  }
}
