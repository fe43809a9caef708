/**
 * From a value to XML, by the types and the order of fields that the API declares. `xsi:type` stands where the declared type does not
 * tell: on values of any type, on members of an `ArrayOf…`, and where an object is of a type that inherits from the declared one.
 */
import { MethodFault } from '../../../facade/vsphere/index.js';
import { allFields, isReference, TYPES } from '../../../facade/vsphere/schema/schema.js';
import { escapeXml } from './escape.js';

/** A value with the type that its place declares, for where the API takes any: properties, results of tasks. */
export class Typed {
  constructor(
    readonly value: unknown,
    /** With `[]` where it is a list. */
    readonly type: string,
  ) {}
}

/** Lists longer than this are written piece by piece. */
const LONG = 256;
const PIECE = 1 << 16;

const PRIMITIVES: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int: 'int',
  long: 'long',
  short: 'short',
  byte: 'byte',
  float: 'float',
  double: 'double',
  DateTime: 'dateTime',
  binary: 'base64Binary',
  anyURI: 'anyURI',
  PropertyPath: 'string',
  TypeName: 'string',
  MethodName: 'string',
  ID: 'string',
};
/** Names of the types in `ArrayOf…`, and of its members. */
const MEMBERS: Readonly<Record<string, string>> = {
  boolean: 'Boolean',
  DateTime: 'DateTime',
  anyType: 'AnyType',
};

type Write = (value: unknown) => string;

/** Writes values; what it knows of types it works out once. */
export class ValueWriter {
  readonly #contents = new Map<string, Write>();
  readonly #elements = new Map<string, Write>();

  /** An element with a value; nothing for one that is unset. A list is as many elements. */
  element(tag: string, type: string, value: unknown): string {
    if (value === undefined || value === null) return '';
    return this.#elementWriter(tag, type)(value);
  }

  /** The same in pieces, so that a long list never stands whole in memory as text. */
  *pieces(tag: string, type: string, value: unknown): Generator<string> {
    if (Array.isArray(value)) {
      yield* this.#longList(tag, type, value);
      return;
    }
    const fields = allFields(type);
    const isLong = ({ name }: { name: string }): boolean => {
      const list = (value as Record<string, unknown>)[name];
      return Array.isArray(list) && list.length > LONG;
    };
    if (typeof value !== 'object' || value === null || value instanceof Typed || !fields.some(isLong)) {
      yield this.element(tag, type, value);
      return;
    }
    yield `<${tag}>`;
    for (const field of fields)
      yield* this.pieces(field.name, field.type, (value as Record<string, unknown>)[field.name]);
    yield `</${tag}>`;
  }

  *#longList(tag: string, type: string, values: readonly unknown[]): Generator<string> {
    const write = this.#elementWriter(tag, type.replace(/\[\]$/, ''));
    let piece = '';
    for (const value of values) {
      piece += write(value);
      if (piece.length < PIECE) continue;
      yield piece;
      piece = '';
    }
    yield piece;
  }

  #elementWriter(tag: string, type: string): Write {
    const key = `${tag} ${type}`;
    let found = this.#elements.get(key);
    if (found === undefined) {
      found = this.#makeElement(tag, type);
      this.#elements.set(key, found);
    }
    return found;
  }

  #makeElement(tag: string, type: string): Write {
    const open = `<${tag}>`;
    const close = `</${tag}>`;
    if (type.endsWith('[]')) {
      const one = this.#elementWriter(tag, type.slice(0, -2));
      return (values) => (Array.isArray(values) ? values.map(one).join('') : one(values));
    }
    if (isReference(type)) return (value) => `<${tag}${referenceRest(value)}${close}`;
    if (type === 'anyType') return (value) => this.#any(tag, value);
    if (type === 'MethodFault') return (value) => this.#localized(tag, value);
    const kind = TYPES.get(type)?.kind;
    if (kind === undefined) return (value) => `${open}${text(value)}${close}`;
    let content: Write | null = null;
    return (value) => {
      content ??= this.#content(type);
      const actual = typeOf(value, type);
      if (actual === type) return `${open}${content(value)}${close}`;
      return `<${tag} xsi:type="${actual}">${this.#content(actual)(value)}${close}`;
    };
  }

  /** What stands inside the element of a data object or fault. */
  #content(type: string): Write {
    let found = this.#contents.get(type);
    if (found === undefined) {
      // Made when first needed: a type may hold itself.
      let writers: (readonly [string, Write])[] | null = null;
      found = (value) => {
        writers ??= allFields(type)
          .filter(({ since }) => since === null)
          .map(({ name, type: of }) => [name, this.#elementWriter(name, of)]);
        let all = '';
        for (const [name, write] of writers) {
          const own = ownValue(value, name);
          if (own !== undefined && own !== null) all += write(own);
        }
        return all;
      };
      this.#contents.set(type, found);
    }
    return found;
  }

  /** A value whose type the reader cannot know. */
  #any(tag: string, given: unknown): string {
    const { value, type } = given instanceof Typed ? given : { value: given, type: guessed(given) };
    if (value === undefined || value === null) return '';
    if (type.endsWith('[]')) return this.#array(tag, type.slice(0, -2), value as readonly unknown[]);
    if (isReference(type)) return `<${tag} xsi:type="ManagedObjectReference"${referenceRest(value)}</${tag}>`;
    if (type === 'MethodFault') return this.#localized(tag, value, ' xsi:type="LocalizedMethodFault"');
    if (TYPES.get(type) === undefined) return `<${tag} xsi:type="${xsdName(type)}">${text(value)}</${tag}>`;
    const actual = typeOf(value, type);
    return `<${tag} xsi:type="${actual}">${this.#content(actual)(value)}</${tag}>`;
  }

  #array(tag: string, type: string, values: readonly unknown[]): string {
    const isObject = isReference(type);
    const member = isObject ? 'ManagedObjectReference' : (PRIMITIVES[type] ?? type);
    const name = MEMBERS[type] ?? (member in PRIMITIVES ? capital(member) : member);
    const members = values.map((value) => this.#any(member, new Typed(value, type))).join('');
    return `<${tag} xsi:type="ArrayOf${name}">${members}</${tag}>`;
  }

  #localized(tag: string, fault: unknown, attribute = ''): string {
    if (!(fault instanceof MethodFault)) return '';
    const inner = `<fault xsi:type="${fault._type}">${this.#content(fault._type)(fault)}</fault>`;
    return `<${tag}${attribute}>${inner}<localizedMessage>${escapeXml(fault.message)}</localizedMessage></${tag}>`;
  }

  /** A fault as it stands in the `detail` of an answer. */
  faultDetail(fault: MethodFault): string {
    const type = fault._type;
    return `<${type}Fault xmlns="urn:vim25" xsi:type="${type}">${this.#content(type)(fault)}</${type}Fault>`;
  }
}

/** A fault's own `name` is a property of it; that of an error is its type. */
function ownValue(value: unknown, name: string): unknown {
  const own = (value as Record<string, unknown>)[name];
  return name === 'name' && value instanceof MethodFault && own === value._type ? undefined : own;
}

function typeOf(value: unknown, declared: string): string {
  const told = (value as { _type?: unknown })._type;
  return typeof told === 'string' && TYPES.has(told) ? told : declared;
}

function referenceRest(value: unknown): string {
  const { type, value: id } = value as { type: string; value: string };
  return ` type="${escapeXml(type)}">${escapeXml(id)}`;
}

function guessed(value: unknown): string {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number')
    return Number.isInteger(value) ? (Math.abs(value) < 2 ** 31 ? 'int' : 'long') : 'double';
  if (value instanceof MethodFault) return 'MethodFault';
  if (value instanceof Date) return 'DateTime';
  if (Array.isArray(value)) return `${value.length === 0 ? 'string' : guessed(value[0])}[]`;
  if (typeof value !== 'object' || value === null) return 'string';
  const { _type: told, type } = value as { _type?: unknown; type?: unknown };
  if (typeof told === 'string') return told;
  return typeof type === 'string' ? 'ManagedObject' : 'string';
}

function text(value: unknown): string {
  if (typeof value === 'string') return escapeXml(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return String(value);
}

const xsdName = (type: string): string => (PRIMITIVES[type] === undefined ? type : `xsd:${PRIMITIVES[type]}`);
const capital = (name: string): string => `${name[0]?.toUpperCase()}${name.slice(1)}`;
