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

function read<T>(wanted: boolean, of: (row: string) => [string, T]): ReadonlyMap<string, T> {
  const rows = FACTS.trim().split('\n');
  return new Map(rows.filter((row) => row.startsWith('method ') === wanted).map(of));
}

/** All types by their names. */
export const TYPES = read(false, typeOf);
/** All methods by `<type>.<method>`. */
export const METHODS = read(true, methodOf);

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
