/** The values of a call, as its handler asks for them in order. What is not what it must be is a CbtError, for which each SDK has its code. */

import { CbtError } from '../../core/errors.js';
import type { Value } from './frames.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

export class CallArguments {
  readonly #values: readonly Value[];
  #at: number;

  /** `from`: the first value that is an argument. */
  constructor(values: readonly Value[], from: number) {
    this.#values = values;
    this.#at = from;
  }

  /** A text; null where C has NULL. Paths are text here (ADR 16). */
  text(name: string): string | null {
    const value = this.#next(name);
    if (value === null) return null;
    if (typeof value === 'bigint') throw wrong(name, 'a text');
    try {
      return UTF8.decode(value);
    } catch {
      throw wrong(name, `a text in UTF-8, and no ${Buffer.from(value).toString('hex', 0, 64)}`);
    }
  }

  /** An integer as C has it: a count, an offset, or a handle's number. */
  integer(name: string): bigint {
    const value = this.#next(name);
    if (typeof value === 'bigint') return value;
    throw wrong(name, 'an integer');
  }

  /** One that fits any enumeration, flag or version. */
  small(name: string): number {
    const value = this.integer(name);
    if (value > 0xffffffffn) throw wrong(name, `at most ${0xffffffff}, and not ${value}`);
    return Number(value);
  }

  /** One of at most 32 bits; null where C has no place for it. */
  optional(name: string): number | null {
    if (this.#values[this.#at] !== null) return this.small(name);
    this.#at += 1;
    return null;
  }

  flag(name: string): boolean {
    return this.integer(name) !== 0n;
  }

  bytes(name: string): Uint8Array {
    const value = this.#next(name);
    if (value instanceof Uint8Array) return value;
    throw wrong(name, 'bytes');
  }

  /** Throws where more was sent than was asked for. */
  end(): void {
    if (this.#at !== this.#values.length)
      throw wrong('the call', `${this.#at} values long, and not ${this.#values.length}`);
  }

  #next(name: string): Value {
    const value = this.#values[this.#at];
    if (value === undefined)
      throw wrong(name, `value ${this.#at} of the call, which has ${this.#values.length}`);
    this.#at += 1;
    return value;
  }
}

function wrong(name: string, expected: string): CbtError {
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', `${name} must be ${expected}`);
}
