/**
 * Objects behind the opaque handles of an SDK: a number that is never used twice stands for an object until its last
 * reference is dropped. Whatever is not in the table (0, forged, freed, of another library) is simply not found.
 */

interface Entry {
  object: object;
  references: number;
}

export class HandleTable {
  readonly #entries = new Map<number, Entry>();
  #next: number;

  /** `first`: the first handle given out. */
  constructor(first = 1) {
    this.#next = first;
  }

  /** Live handles. */
  get size(): number {
    return this.#entries.size;
  }

  /** A new handle with one reference. */
  add(object: object): number {
    const handle = this.#next;
    this.#next += 1;
    this.#entries.set(handle, { object, references: 1 });
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
    return entry.object;
  }

  /** Takes every handle out; the objects, each once. */
  clear(): object[] {
    const objects = new Set([...this.#entries.values()].map(({ object }) => object));
    this.#entries.clear();
    return [...objects];
  }

  #entry(handle: unknown): Entry | undefined {
    return typeof handle === 'number' ? this.#entries.get(handle) : undefined;
  }
}
