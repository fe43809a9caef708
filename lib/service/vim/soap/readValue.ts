/** From an element to a value of the type that the API declares there: data objects with `_type`, references, plain values. */
import { invalidArgument } from '../../../facade/vsphere/faults.js';
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
const INTEGERS: Readonly<Record<string, number>> = {
  byte: 2 ** 7,
  short: 2 ** 15,
  int: 2 ** 31,
  long: 2 ** 63,
};

/**
 * The arguments of a method, or the fields of an object. A doubled one is `InvalidRequest`, a missing or mistyped one
 * `InvalidArgument` with its path; an unknown one is kept out and named in `unknown`.
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
      throw invalidArgument(path === '' ? name : `${path}.${name}`, `${name} is not there`);
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
  if (element.children.length > 0)
    throw invalidArgument(path, `${path} has elements in it: it is of the type ${type}`);
  return plain(element.text, NAMED[type] ?? type, path);
}

function readObject(element: Element, declared: string, path: string): ReadObject {
  const type = element.xsiType ?? declared;
  if (type !== declared && declared !== 'anyType' && (!TYPES.has(type) || !isA(type, declared)))
    throw invalidArgument(path, `${path} is of the type ${type}, expected ${declared}`);
  const { values, unknown } = readFields(allFields(type), element.children, path);
  const [first] = unknown;
  if (first !== undefined) throw invalidArgument(`${path}.${first}`, `${type} has no ${first}`);
  return { ...values, _type: type };
}

function reference({ attributes, text }: Element, path: string): ManagedObjectReference {
  const value = text.trim();
  if (value === '') throw invalidArgument(path, `${path} is an empty reference`);
  return { type: attributes.get('type') ?? '', value };
}

function plain(text: string, type: string, path: string): unknown {
  const limit = INTEGERS[type];
  if (limit !== undefined) {
    const number = Number(text);
    if (/^\s*[+-]?\d+\s*$/.test(text) && number >= -limit && number < limit) return number;
    throw invalidArgument(path, `${path} is ${shown(text)}, expected a number of the type ${type}`);
  }
  const word = text.trim();
  if (type === 'boolean') {
    if (/^(true|1)$/.test(word)) return true;
    if (/^(false|0)$/.test(word)) return false;
    throw invalidArgument(path, `${path} is ${shown(text)}, expected true or false`);
  }
  if (type === 'double' || type === 'float') {
    const number = Number(word);
    if (word !== '' && Number.isFinite(number)) return number;
    throw invalidArgument(path, `${path} is ${shown(text)}, expected a number`);
  }
  const words = ENUMS.get(type);
  if (words !== undefined && !words.includes(word))
    throw invalidArgument(path, `${path} is ${shown(text)}, expected one of ${words.join(', ')}`);
  return words === undefined ? text : word;
}

const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
