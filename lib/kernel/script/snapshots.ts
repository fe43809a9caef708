/**
 * Arrays of the caller, copied at the call: the work may rest in between, and what happens to the array meanwhile must
 * not change the answer. A detached or outgrown view has length zero, which would read as "nothing": it is refused.
 */
import { invalidArgument } from '../../core/errors.js';
import { checkRanges, type Ranges } from '../../core/rangePage.js';

/** Ranges from outside, checked and copied. */
export function takeRanges(argument: string, ranges: Ranges): Ranges {
  const copy = takeNumbers(argument, ranges, 0, Number.POSITIVE_INFINITY);
  checkRanges(argument, copy);
  return copy;
}

/** Elements [first, end) of an array of numbers, as far as there are any. */
export function takeNumbers(
  argument: string,
  values: Float64Array,
  first: number,
  end: number,
): Float64Array {
  if (!(values instanceof Float64Array)) throw invalidArgument(argument, values, 'a Float64Array');
  return copied(argument, values, () => values.slice(first, end));
}

/** Bytes [first, end) of an array of bytes, as far as there are any. */
export function takeBytes(argument: string, bytes: Uint8Array, first: number, end: number): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw invalidArgument(argument, bytes, 'a Uint8Array');
  // The base class's method: a Buffer's own slice would not copy.
  return copied(argument, bytes, () => Uint8Array.prototype.slice.call(bytes, first, end));
}

/** The methods of typed arrays, unlike their lengths, tell a view that has lost its memory. */
function copied<T>(argument: string, view: ArrayBufferView, copy: () => T): T {
  try {
    return copy();
  } catch {
    throw invalidArgument(
      argument,
      view,
      'a view of memory that is still there (its buffer is detached or was resized)',
    );
  }
}
