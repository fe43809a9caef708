/**
 * Out and in/out parameters of the SDKs' C functions: a box that the call fills. `const size = ref<number>();
 * PrlDiskMap_GetSize(map, size); size.value` reads like `&size` in C.
 */

export interface Ref<T> {
  /** What is in the box. */
  value: T;
}

/**
 * A box for an out parameter, or, with a value, for an in/out parameter.
 * @returns A box that a call writes into.
 * @example
 * ```ts
 * const count = ref<number>();
 * PrlVmBackup_GetDisksCount(backup, count);
 * ```
 */
export function ref<T>(): Ref<T | undefined>;
export function ref<T>(initial: T): Ref<T>;
export function ref<T>(initial?: T): Ref<T | undefined> {
  return { value: initial };
}
