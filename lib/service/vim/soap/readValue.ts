/** From an element to a value of the type that the API declares there: data objects with `_type`, references, plain values. */
import { InvalidRequest, type ManagedObjectReference } from '../../../facade/vsphere/index.js';
import {
  allFields,
  ENUMS,
  type Field,
  isA,
  isReference,
  TYPES,
} from '../../../facade/vsphere/schema/schema.js';
import type { Element } from './element.js';

/** A data object that came over the wire; fields that were not sent are absent. */
export type ReadObject = { _type: string } & Record<string, unknown>;

/** Primitives as `xsi:type` names them, for what is declared as `anyType`. */
const NAMED: Readonly<Record<string, string>> = { dateTime: 'DateTime', base64Binary: 'binary' };
/** Their bits. */
const INTEGERS: Readonly<Record<string, number>> = {
  byte: 8,
  short: 16,
  int: 32,
  long: 64,
};

/**
 * The arguments of a method, or the fields of an object. A doubled, a missing or a mistyped one is `InvalidRequest` with its path, as a
 * host says it of what it cannot read; an unknown one is kept out and named in `unknown`.
 */
export function readFields(
  fields: readonly Field[],
  elements: readonly Element[],
  path: string,
): { values: Record<string, unknown>; unknown: string[] } {
  const values: Record<string, unknown> = {};
  const byName = new Map(fields.map((field) => [field.name, field]));
  const unknown: string[] = [];
  for (const element of elements) {
    const field = byName.get(element.name);
    if (field === undefined) {
      unknown.push(element.name);
      continue;
    }
    const at = path === '' ? element.name : `${path}.${element.name}`;
    if (field.type.endsWith('[]')) {
      const list = (values[field.name] ?? []) as unknown[];
      values[field.name] = list;
      if (!isUnset(element, field.type.slice(0, -2)))
        list.push(readValue(element, field.type.slice(0, -2), at));
      continue;
    }
    if (Object.hasOwn(values, field.name)) throw new InvalidRequest(`${at} is there twice`);
    if (!isUnset(element, field.type)) values[field.name] = readValue(element, field.type, at);
  }
  for (const { name, type, optional, since } of fields) {
    if (Object.hasOwn(values, name)) continue;
    if (type.endsWith('[]')) values[name] = [];
    else if (!optional && since === null)
      throw new InvalidRequest(`${path === '' ? name : `${path}.${name}`} is not there, and has to be`);
  }
  return { values, unknown };
}

/** Nothing was meant: `xsi:nil`, or an empty reference or number. */
function isUnset({ isNil, text, children }: Element, type: string): boolean {
  if (isNil) return true;
  return text.trim() === '' && children.length === 0 && (isReference(type) || Object.hasOwn(INTEGERS, type));
}

/** The value of an element. */
export function readValue(element: Element, declared: string, path: string): unknown {
  const type = declared === 'anyType' ? (element.xsiType ?? 'string') : declared;
  if (isReference(type) || type === 'ManagedObjectReference') return reference(element, path);
  const data = TYPES.get(element.xsiType ?? type);
  if (TYPES.get(type)?.kind === 'data') return readObject(element, type, path);
  if (declared === 'anyType' && data?.kind === 'data') return readObject(element, type, path);
  requirePlain(element, type, path);
  return plain(element.text, NAMED[type] ?? type, path);
}

function readObject(element: Element, declared: string, path: string): ReadObject {
  const type = element.xsiType ?? declared;
  if (type !== declared && declared !== 'anyType' && (!TYPES.has(type) || !isA(type, declared)))
    throw new InvalidRequest(`${path} is of the type ${shown(type)}, expected ${declared}`);
  const { values, unknown } = readFields(allFields(type), element.children, path);
  const [first] = unknown;
  if (first !== undefined) throw new InvalidRequest(`${path}.${first}: ${type} has no field of this name`);
  if (element.text.trim() !== '')
    throw new InvalidRequest(
      `${path} is ${shown(element.text)}, expected elements: it is of the type ${type}`,
    );
  return { ...values, _type: type };
}

function reference(element: Element, path: string): ManagedObjectReference {
  requirePlain(element, 'ManagedObjectReference', path);
  const value = element.text.trim();
  if (value === '') throw new InvalidRequest(`${path} is an empty reference`);
  return { type: element.attributes.get('type') ?? '', value };
}

function requirePlain({ children }: Element, type: string, path: string): void {
  if (children.length > 0) throw new InvalidRequest(`${path} has elements in it: it is of the type ${type}`);
}

function plain(text: string, type: string, path: string): unknown {
  const refuse = (expected: string): never => {
    throw new InvalidRequest(`${path} is ${shown(text)}, expected ${expected}`);
  };
  const bits = INTEGERS[type];
  if (bits !== undefined) {
    const isShort = /^\s*[+-]?\d{1,40}\s*$/.test(text);
    if (!isShort) return refuse(`a number of the type ${type}`);
    const number = BigInt(text.trim().replace(/^\+/, ''));
    // Of a number that no double holds the nearest one is taken: whoever takes it refuses what is so large.
    return BigInt.asIntN(bits, number) === number ? Number(number) : refuse(`a number of the type ${type}`);
  }
  const word = text.trim();
  if (type === 'boolean') {
    if (/^(true|1)$/.test(word)) return true;
    return /^(false|0)$/.test(word) ? false : refuse('true or false');
  }
  if (type === 'double' || type === 'float') {
    const number = Number(word);
    return word !== '' && Number.isFinite(number) ? number : refuse('a number');
  }
  if (type === 'DateTime' && !(DATE_TIME.test(word) && Number.isFinite(Date.parse(word))))
    return refuse('a date and time');
  const words = ENUMS.get(type);
  if (words === undefined) return text;
  return words.includes(word) ? word : refuse(`one of ${words.join(', ')}`);
}

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/;
const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
