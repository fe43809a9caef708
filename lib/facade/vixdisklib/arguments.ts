/** What callers hand in, checked. */
import type { Ref } from '../ref.js';
import { invalid } from './errors.js';

export function requireRef<T>(argument: string, out: Ref<T> | null | undefined): Ref<T> {
  if (typeof out !== 'object' || out === null || !('value' in out)) throw invalid(argument, 'a ref()');
  return out;
}

/** A number of sectors, or of anything else that is counted. */
export function requireCount(argument: string, value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
    throw invalid(argument, `an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
  return number;
}
