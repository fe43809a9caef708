/**
 * Checks what a caller passes, before anything is begun: a misspelt option, a number that is none, an empty text from a variable
 * that was not set. Each is `ERR_CBT_INVALID_ARGUMENT` that names the option, the value and what it must be.
 */
import type { CallOptions } from './callOptions.js';
import { CbtError, invalidArgument, requireAbortSignal } from './errors.js';
import { parsePoint } from './point.js';
import { type Instant, parseUuid } from './pointInTime.js';
import { checkByteCount, checkGranularity } from './rangePage.js';

/** Throws `ERR_CBT_INVALID_ARGUMENT` about `name` where the value is not what it must be. */
export type Check = (value: unknown, name: string) => void;

/** A check for every option of an interface: one that is added to it does not compile without. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check | RequiredCheck };

interface RequiredCheck {
  required: Check;
}

/** Checks an object of options; `undefined` is none of them. `what` is what takes them, as in "begin" or "scratch". */
export function checkOptions<Options>(what: string, options: unknown, checks: Checks<Options>): void {
  checkFields(what, options ?? {}, checks, '', options);
}

function checkFields<Options>(
  what: string,
  options: unknown,
  checks: Checks<Options>,
  prefix: string,
  shown: unknown,
): void {
  if (!isPlainObject(options) || shown === null)
    throw invalidArgument(`options of ${what}`, shown, 'an object of options');
  const given = options as Record<string, unknown>;
  const known = new Map(Object.entries<Check | RequiredCheck>(checks));
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `${what} has no option ${JSON.stringify(unknown)}; it has ${[...known.keys()].join(', ')}`,
      { details: { argument: `${prefix}${unknown}`, expected: [...known.keys()].join(', ') } },
    );
  for (const [name, check] of known) {
    const value = given[name];
    if (typeof check !== 'function') check.required(value, `${prefix}${name}`);
    else if (value !== undefined) check(value, `${prefix}${name}`);
  }
}

/** Of any realm. What has a class is something else in the options' place: a signal, a map, and would pass for no options at all. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The option must be given. */
export function required(check: Check): RequiredCheck {
  return { required: check };
}

/** Whatever checks it further knows better. */
export const anything: Check = () => undefined;

/** Not empty, and nothing in it that the system or JSON does not carry. */
export function textOf(expected: string): Check {
  return (value, name) => {
    if (typeof value !== 'string' || value === '' || /[\0\p{Cs}]/u.test(value))
      throw invalidArgument(name, value, expected);
  };
}

export const text = textOf('a text that is not empty');

export const plainObject: Check = (value, name) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgument(name, value, 'an object');
};

export const flag: Check = (value, name) => {
  if (typeof value !== 'boolean') throw invalidArgument(name, value, 'true or false');
};

export const callback: Check = (value, name) => {
  if (typeof value !== 'function') throw invalidArgument(name, value, 'a function');
};

export const uuid: Check = (value, name) => {
  if (typeof value !== 'string' || parseUuid(value) === null) throw invalidArgument(name, value, 'a UUID');
};

/** A point in time: text, or an instant. */
export const point: Check = (value, name) => {
  parsePoint(name, value as string | Instant);
};

/** At least one text. */
export const names: Check = (value, name) => {
  if (!Array.isArray(value)) throw invalidArgument(name, value, 'a list of names');
  if (value.length === 0) throw invalidArgument(name, 'an empty list', 'at least one name');
  for (const [at, one] of value.entries()) text(one, `${name}[${at}]`);
};

/** The same, none of them twice. */
export const distinctNames: Check = (value, name) => {
  names(value, name);
  const twice = (value as string[]).findIndex((one, at, all) => all.indexOf(one) < at);
  if (twice >= 0)
    throw invalidArgument(`${name}[${twice}]`, (value as string[])[twice], 'a name that the list has once');
};

/** At least one of whatever passes. */
export function someOf(check: Check): Check {
  const list = listOf(check);
  return (value, name) => {
    list(value, name);
    if ((value as unknown[]).length === 0) throw invalidArgument(name, 'an empty list', 'at least one');
  };
}

/** A list of whatever passes; an empty one too. */
export function listOf(check: Check): Check {
  return (value, name) => {
    if (!Array.isArray(value)) throw invalidArgument(name, value, 'a list');
    for (const [at, one] of value.entries()) check(one, `${name}[${at}]`);
  };
}

/** An object that has something for each name that the caller chose. */
export function mapOf(check: Check): Check {
  return (value, name) => {
    if (!isPlainObject(value)) throw invalidArgument(name, value, 'an object');
    for (const [key, one] of Object.entries(value)) {
      text(key, `a name in ${name}`);
      check(one, `${name}[${JSON.stringify(key)}]`);
    }
  };
}

export function oneOf(...values: readonly string[]): Check {
  return (value, name) => {
    if (!values.includes(value as string)) throw invalidArgument(name, value, `one of ${values.join(', ')}`);
  };
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  return (value, name) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
      throw invalidArgument(
        name,
        value,
        max === Number.MAX_SAFE_INTEGER
          ? `a whole number of at least ${min}`
          : `a whole number from ${min} to ${max}`,
      );
  };
}

/** How many at most, `Infinity` for all of them. */
export const count: Check = (value, name) => {
  if (value !== Number.POSITIVE_INFINITY) integer(1)(value, name);
};

export const bytes: Check = (value, name) => {
  if (!(value instanceof Uint8Array)) throw invalidArgument(name, value, 'a Buffer or Uint8Array');
};

/** An offset into a disk, or the size of one. */
export const byteCount: Check = (value, name) => checkByteCount(name, value as number);

/** Bytes of a limit, `Infinity` for none. */
export function limitOf(minBytes: number): Check {
  return (value, name) => {
    if (value !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(value) && (value as number) >= minBytes))
      throw invalidArgument(
        name,
        value,
        `a whole number of bytes, at least ${minBytes}; Infinity for no limit`,
      );
  };
}

/** Node's timers hold 31 bits and fire at once when given more. */
export const milliseconds: Check = (value, name) => {
  if (!(Number.isFinite(value) && (value as number) > 0 && (value as number) <= 2 ** 31 - 1))
    throw invalidArgument(name, value, `milliseconds above 0, at most ${2 ** 31 - 1}`);
};

export const abortSignal: Check = (value, name) => requireAbortSignal(name, value);

/** An object with options of its own. */
export function shape<Options>(checks: Checks<Options>): Check {
  return (value, name) => {
    checkFields<Options>(name, value, checks, `${name}.`, value);
  };
}

/** Bytes per bit of a bitmap. */
export const granularity: Check = (value, name) => checkGranularity(name, value as number);

/** Of a call that can only be cancelled, or be late. */
export const callChecks: Checks<CallOptions> = { signal: abortSignal, timeoutMs: milliseconds };

export function checkCall(what: string, options: unknown): void {
  checkOptions(what, options, callChecks);
}
