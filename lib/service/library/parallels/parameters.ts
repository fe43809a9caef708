/**
 * Calls of libprl_sdk that are nothing but their parameters, a letter each (native/parallels/src/calls.h):
 *
 *     h handle   u 32 bits   U 64 bits   t text, or NULL
 *     H box of a handle   O box of 32 bits   S a text's buffer and the box of its length
 */
import { type Ref, ref } from '../../../facade/ref.js';
import type { CallArguments } from '../callArguments.js';
import type { Value } from '../frames.js';

/** Longest text that is given at once: longer than any that a client can have put somewhere. */
const MAX_TEXT_BYTES = 2 << 20;

/** The parameters of a call, and what it gives through its boxes, in their order. */
export interface Parameters {
  values: unknown[];
  given(): Value[];
}

type Box = Ref<number | undefined>;

/** A handle: beyond what a number holds, and in no table, is none. */
export const handleOf = (value: bigint): number => (value > 0xffffffffffffn ? 0 : Number(value));

export function readParameters(shape: string, args: CallArguments): Parameters {
  const values: unknown[] = [];
  const gives: (() => Value[])[] = [];
  for (const letter of shape) {
    const name = `value ${values.length}`;
    if (letter === 'h') values.push(handleOf(args.integer(name)));
    else if (letter === 'u') values.push(args.small(name));
    else if (letter === 'U') values.push(args.integer(name));
    else if (letter === 't') values.push(args.text(name));
    else if (letter === 'S') readTextBox(args, values, gives);
    else {
      const box: Box | null = args.flag(name) ? ref<number>() : null;
      values.push(box);
      gives.push(() => [numberIn(box)]);
    }
  }
  args.end();
  return { values, given: () => gives.flatMap((give) => give()) };
}

/** What a box got; nothing where it got nothing. */
export function numberIn(box: Box | null): Value {
  const value = box?.value;
  if (value === undefined) return null;
  return value < 0 ? BigInt(value >>> 0) : BigInt(value);
}

/** A box that tells whether the call came so far as to write into it. */
class LengthBox implements Ref<number> {
  wasSet = false;
  #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  get value(): number {
    return this.#value;
  }

  set value(value: number) {
    this.#value = value;
    this.wasSet = true;
  }
}

function readTextBox(args: CallArguments, values: unknown[], gives: (() => Value[])[]): void {
  const there = args.flag('buffer');
  const told = args.optional('length');
  const room = there && told !== null ? Math.min(told, MAX_TEXT_BYTES) : 0;
  const length = told === null ? null : new LengthBox(room);
  const buffer = room > 0 ? Buffer.alloc(room) : null;
  values.push(buffer, length);
  gives.push(() => {
    if (length === null || !length.wasSet) return [null, null];
    const bytes = buffer?.subarray(0, Math.min(room, length.value)) ?? null;
    return [BigInt(length.value), bytes];
  });
}
