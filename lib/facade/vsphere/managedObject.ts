/** Objects of the service: each is named by its reference, and is that reference itself. */
import type { ManagedObjectReference } from './reference.js';

/**
 * An object with methods. It goes wherever a reference goes, and is one in JSON.
 * @example
 * ```ts
 * const { rootFolder } = connect({ vms: [] }).RetrieveContent();
 * console.log(JSON.stringify(rootFolder));
 * ```
 */
export abstract class ManagedObject implements ManagedObjectReference {
  /** Its type in the API. */
  abstract readonly type: string;
  /** The same in every process, for as long as the object is there. */
  abstract readonly value: string;

  /** The same as `value`. */
  get _moId(): string {
    return this.value;
  }

  /**
   * Its reference.
   * @returns The reference.
   */
  toJSON(): ManagedObjectReference {
    return { type: this.type, value: this.value };
  }
}

/** Whether two references name one object. */
export function isSame(one: ManagedObjectReference, other: ManagedObjectReference): boolean {
  return one.type === other.type && one.value === other.value;
}
