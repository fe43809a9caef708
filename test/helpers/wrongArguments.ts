/**
 * Every argument and option of a call, given every kind of value that it does not take. Which options there are, the call tells itself: it is given
 * one that it does not have, and its refusal names those that it has. So an option that is added is tried as well, and fails here until
 * it is said what it takes.
 */
import { CbtError } from '../../lib/core/errors.js';

/** Whether a value is one that is documented as taken. */
export type Takes = (value: unknown) => boolean;

const whole = (min: number, max = Number.MAX_SAFE_INTEGER): Takes => {
  return (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
};

const anyObject: Takes = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Options of which none is given. */
export const emptyObject: Takes = (value) =>
  anyObject(value) && shown(value) === '[object Object]' && Object.keys(Object(value)).length === 0;

export const emptyList: Takes = (value) => Array.isArray(value) && value.length === 0;

export const text: Takes = (value) => typeof value === 'string' && value !== '' && !/[\0\p{Cs}]/u.test(value);

export const takes = {
  whole,
  anyObject,
  nothing: () => false,
  flag: (value: unknown) => typeof value === 'boolean',
  callback: (value: unknown) => typeof value === 'function',
  milliseconds: (value: unknown) => typeof value === 'number' && value > 0 && value < 2 ** 31,
  /** A Map is one, of pairs. */
  anyIterable: (value: unknown) => emptyList(value) || value instanceof Map,
  /** Bytes, or how many of something, `Infinity` for all. */
  limit: (value: unknown) => value === Number.POSITIVE_INFINITY || whole(1)(value),
} as const;

/** What opening a disk's bytes takes. */
export const OPEN_DATA = {
  contexts: emptyList,
  connections: whole(1, 16),
  connectTimeoutMs: takes.milliseconds,
  requestTimeoutMs: whole(0, 2 ** 31 - 1),
};

/** By the names of options: those of one name take the same everywhere, but for what a row says of its own. */
const KINDS: Readonly<Record<string, Takes>> = {
  // No value below is a signal.
  signal: takes.nothing,
  timeoutMs: takes.milliseconds,
};

export interface Row {
  /** Is handed the positional arguments in order, and the options behind them. */
  // biome-ignore lint/suspicious/noExplicitAny: what is given is wrong on purpose
  call: (...given: any[]) => unknown;
  /** Positional arguments by their names, in order: one that is right, and what else is taken. */
  args?: Readonly<Record<string, readonly [right: unknown, takes: Takes]>>;
  /** Options that must be given, as they are right; null for a call that takes none. */
  options?: Readonly<Record<string, unknown>> | null;
  /** Kinds of options that this call alone has. */
  kinds?: Readonly<Record<string, Takes>>;
  /** Options that are objects with options of their own, or hold some: what must be in one, and how it is put there. */
  inside?: Readonly<Record<string, Inside>>;
}

export interface Inside {
  right?: Readonly<Record<string, unknown>>;
  put?: (one: unknown) => unknown;
  kinds?: Readonly<Record<string, Takes>>;
}

/** What somebody passes by mistake. */
const WRONG: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  -1,
  0,
  0.5,
  2 ** 53,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1n,
  '',
  'text',
  'a\0b',
  '\ud800',
  '1',
  'true',
  true,
  false,
  {},
  [],
  [5],
  [''],
  [null],
  () => undefined,
  new AbortController(),
  Symbol('symbol'),
  new Map(),
  new Date(Number.NaN),
  Object.create(null),
  JSON.parse('{"__proto__": {"folder": 5}}'),
  new Proxy({}, {}),
];

/** A call that must be refused, and what the refusal names. */
interface WrongCall {
  what: string;
  names: string;
  run: () => unknown;
}

async function wrongCalls(row: Row): Promise<WrongCall[]> {
  const { args = {}, options = {} } = row;
  const right = Object.values(args).map(([one]) => one);
  const found: WrongCall[] = [];
  for (const [at, [name, [, takes]]] of Object.entries(args).entries())
    for (const value of WRONG)
      if (!takes(value))
        found.push({
          what: `${name}: ${shown(value)}`,
          names: name,
          run: () => row.call(...right.with(at, value), ...(options === null ? [] : [options])),
        });
  if (options === null) return found;
  for (const value of WRONG)
    if (!anyObject(value) && value !== undefined)
      found.push({
        what: `options ${shown(value)}`,
        names: 'options of',
        run: () => row.call(...right, value),
      });
  const give = (given: object): unknown => row.call(...right, given);
  found.push(...(await wrongOptions(give, options, '', { ...KINDS, ...row.kinds })));
  for (const [name, { right: inner = {}, put = (one: unknown) => one, kinds }] of Object.entries(
    row.inside ?? {},
  ))
    found.push(
      ...(await wrongOptions((given) => give({ ...options, [name]: put(given) }), inner, `${name}.`, {
        ...KINDS,
        ...row.kinds,
        ...kinds,
      })),
    );
  return found;
}

async function wrongOptions(
  give: (options: object) => unknown,
  right: Readonly<Record<string, unknown>>,
  prefix: string,
  kinds: Readonly<Record<string, Takes>>,
): Promise<WrongCall[]> {
  const found: WrongCall[] = [];
  for (const unknown of ['nonsense', '__proto__'])
    found.push({
      what: `${prefix}${unknown}`,
      names: unknown,
      run: () => give(Object.defineProperty({ ...right }, unknown, { value: 1, enumerable: true })),
    });
  for (const name of await optionsOf(() => give({ ...right, nonsense: 1 }))) {
    const takes = kinds[name];
    if (takes === undefined) throw new Error(`what does the option ${prefix}${name} take?`);
    for (const value of WRONG)
      if (!takes(value) && (value !== undefined || Object.hasOwn(right, name)))
        found.push({
          what: `${prefix}${name}: ${shown(value)}`,
          names: name,
          run: () => give({ ...right, [name]: value }),
        });
  }
  return found;
}

async function optionsOf(call: () => unknown): Promise<string[]> {
  const { details } = await refusedBy(call);
  return String(details['expected']).split(', ');
}

/** The refusal, however it comes. */
async function refusedBy(call: () => unknown): Promise<CbtError> {
  let given: unknown;
  try {
    given = await call();
  } catch (error) {
    if (error instanceof CbtError) return error;
    throw error;
  }
  throw new Error(`it was taken: ${shown(given)}`);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value);
  return String(value);
}

/** The same of an argument that is an object of its own, as `give` passes it. */
export async function refusalsInside(
  give: (one: object) => unknown,
  right: Readonly<Record<string, unknown>>,
  kinds: Readonly<Record<string, Takes>>,
): Promise<string[]> {
  return unrefused(await wrongOptions(give, right, '', kinds));
}

/** Calls of the row that are not refused as they should be, each with what came instead: none. */
export async function refusals(row: Row): Promise<string[]> {
  return unrefused(await wrongCalls(row));
}

async function unrefused(calls: readonly WrongCall[]): Promise<string[]> {
  const found: string[] = [];
  for (const { what, names, run } of calls) {
    const came = await outcomeOf(run);
    const right = came instanceof CbtError && came.code === 'ERR_CBT_INVALID_ARGUMENT';
    if (!right || !came.message.includes(names))
      found.push(`${what} -> ${came instanceof CbtError ? `${came.code}: ${came.message}` : came}`);
  }
  return found;
}

async function outcomeOf(run: () => unknown): Promise<unknown> {
  const slow = new Promise((resolve) => setTimeout(resolve, 1000, 'SLOW').unref());
  try {
    return await Promise.race([slow, run()]);
  } catch (error) {
    return error;
  }
}
