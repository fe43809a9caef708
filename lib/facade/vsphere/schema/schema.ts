/** The rows of {@link FACTS}, read: types, what they inherit from, their fields and methods. */
import { FACTS } from './facts.js';

/** A field of a type, or a parameter of a method. */
export interface Field {
  name: string;
  /** Name of its type, with `[]` where it is a list. */
  type: string;
  optional: boolean;
  /** Version of the API that has it first, where that is newer than the one served. */
  since: string | null;
}

/** A fault, a data object or a managed object. */
export interface Type {
  kind: 'fault' | 'data' | 'managed';
  name: string;
  /** Null for one that inherits from nothing known here. */
  base: string | null;
  /** Name inside the API, as `descriptionId` has it; empty but for managed types. */
  inner: string;
  /** How many methods the API's type has of its own. */
  methodCount: number;
  /** Its own fields in order, without those of its base. */
  fields: readonly Field[];
}

/** A method of a managed type. */
export interface Method {
  owner: string;
  name: string;
  /** Name inside the API, as `createSnapshot`. */
  inner: string;
  parameters: readonly Field[];
  result: string;
  faults: readonly string[];
}

function fieldsOf(text: string): Field[] {
  return [...text.matchAll(/(\w+):([\w[\]]+)(\?)?(?:@(\S+))?/g)].map(
    ([, name = '', type = '', mark, since]) => ({
      name,
      type,
      optional: mark !== undefined,
      since: since ?? null,
    }),
  );
}

function typeOf(row: string): [string, Type] {
  const [head = '', fields = ''] = row.split('|');
  const [, kind = '', name = '', inner = '', count = '0', base = null] =
    /^(\w+) (\w+)(?: ([\w.]+) (\d+))?(?: : (\w+))? $/.exec(head) ?? [];
  const methodCount = Number(count);
  return [name, { kind: kind as Type['kind'], name, base, inner, methodCount, fields: fieldsOf(fields) }];
}

function methodOf(row: string): [string, Method] {
  const [, owner = '', name = '', inner = '', parameters = '', result = '', faults = ''] =
    /^method (\w+)\.(\w+) (\w+) \((.*)\) (\S+) \|(.*)$/.exec(row) ?? [];
  return [
    `${owner}.${name}`,
    {
      owner,
      name,
      inner,
      parameters: fieldsOf(parameters),
      result,
      faults: faults.split(' ').filter(Boolean),
    },
  ];
}

const WORD = /^\w+/;

function read<T>(kinds: string, of: (row: string) => [string, T]): ReadonlyMap<string, T> {
  const rows = FACTS.trim().split('\n');
  return new Map(rows.filter((row) => kinds.includes(WORD.exec(row)?.[0] ?? '')).map(of));
}

const listOf = (row: string): [string, readonly string[]] => {
  const [head = '', names = ''] = row.split(' |');
  return [head.split(' ')[1] ?? '', names.split(' ').filter(Boolean)];
};

/** All types by their names. */
export const TYPES = read('fault data managed', typeOf);
/** All methods that have a row, by `<type>.<method>`. */
export const METHODS = read('method', methodOf);
/** The words of each enumeration. */
export const ENUMS = read('enum', listOf);
const KNOWN = read('known', listOf);
const REFERENCES: ReadonlySet<string> = new Set(read('references', listOf).get(''));

/** Whether values of a type are references to objects. */
export function isReference(name: string): boolean {
  return name === 'ManagedObject' || REFERENCES.has(name) || TYPES.get(name)?.kind === 'managed';
}

/** The method of this name that a type has, or inherits; null where the API has none, or it has no row here. */
export function findMethod(type: string, name: string): Method | null {
  for (let at: string | null = type; at !== null; at = TYPES.get(at)?.base ?? null) {
    const found = METHODS.get(`${at}.${name}`);
    if (found !== undefined) return found;
  }
  return null;
}

/** Whether the API's type has a method of this name, or inherits one, with a row here or without. */
export function hasMethod(type: string, name: string): boolean {
  for (let at: string | null = type; at !== null; at = TYPES.get(at)?.base ?? null)
    if (KNOWN.get(at)?.includes(name)) return true;
  return false;
}

/** All fields of a type in the API's order: those of its bases first. None for a type that is not known. */
export function allFields(name: string): Field[] {
  const type = TYPES.get(name);
  if (type === undefined) return [];
  return [...(type.base === null ? [] : allFields(type.base)), ...type.fields];
}

/** Whether a type is another one, or inherits from it. */
export function isA(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  const base = TYPES.get(name)?.base ?? null;
  return base !== null && isA(base, wanted);
}
