/**
 * Arguments of a method as nobody sends them: one missing, there twice, of another type, or huge; also the fields of data objects in them.
 * Made from the description that reader and writer of the wire have, so that what is added there is tried here.
 */
import {
  allFields,
  ENUMS,
  type Field,
  isReference,
  type Method,
  TYPES,
} from '../../../lib/facade/vsphere/schema/schema.js';

export interface Hostile {
  /** What is wrong, with the path of the argument. */
  what: string;
  /** Of the argument, as the fault tells it; null where anything but a failure of the service will do. */
  refused: string | null;
  inner: string;
}

/** Data objects in data objects. */
const DEEP = 2;
const HUGE_TEXT = 'x'.repeat(200_000);
const HUGE_LIST = 2000;
const NUMBERS = ['byte', 'short', 'int', 'long', 'float', 'double'];

/** A value that can be read, with nothing in it that may be left out. */
function sample(name: string, declared: string): string {
  const type = declared.replace(/\[\]$/, '');
  if (isReference(type)) return `<${name} type="VirtualMachine">vm-1</${name}>`;
  if (TYPES.get(type)?.kind === 'data') return `<${name}>${required(allFields(type)).join('')}</${name}>`;
  return `<${name}>${plain(type)}</${name}>`;
}

function plain(type: string): string {
  if (type === 'boolean') return 'true';
  if (NUMBERS.includes(type)) return '1';
  if (type === 'DateTime') return '2026-01-01T00:00:00Z';
  return ENUMS.get(type)?.[0] ?? 'x';
}

const isNeeded = ({ optional, since }: Field): boolean => !optional && since === null;

function required(fields: readonly Field[], but = ''): string[] {
  return fields
    .filter((field) => isNeeded(field) && field.name !== but)
    .map(({ name, type }) => sample(name, type));
}

/** What is not of a type, whatever it is. */
function mistyped(type: string): string[] {
  if (TYPES.get(type)?.kind === 'data') return ['words', '<noSuchField>1</noSuchField>'];
  const nested = '<nested>1</nested>';
  if (isReference(type)) return [nested];
  if (NUMBERS.includes(type)) {
    const whole = ['1.5', '0x10', '99999999999999999999', '9'.repeat(5000)];
    return ['words', '1 2', nested, ...(/float|double/.test(type) ? ['Infinity'] : whole)];
  }
  if (type === 'boolean') return ['maybe', '2', nested];
  if (type === 'DateTime') return ['yesterday', '2026-13-01T00:00:00Z', nested];
  return ENUMS.has(type) ? ['noSuchWord', nested] : [nested];
}

function huge({ name, type }: Field): string[] {
  if (type.endsWith('[]')) return [sample(name, type).repeat(HUGE_LIST)];
  if (type === 'int') return ['2147483647', '-2147483648'].map((text) => `<${name}>${text}</${name}>`);
  if (type === 'long') return ['9223372036854775807', '-1'].map((text) => `<${name}>${text}</${name}>`);
  if (isReference(type)) return [`<${name} type="${HUGE_TEXT}">${HUGE_TEXT}</${name}>`];
  return plain(type) === 'x' && TYPES.get(type) === undefined ? [`<${name}>${HUGE_TEXT}</${name}>`] : [];
}

function* hostileFields(fields: readonly Field[], path: string, depth: number): Generator<Hostile> {
  for (const field of fields) {
    const { name, type } = field;
    const at = `${path}${name}`;
    const others = required(fields, name).join('');
    const isList = type.endsWith('[]');
    const one = sample(name, type);
    const member = type.replace(/\[\]$/, '');
    const isKnown = TYPES.get(member)?.kind === 'data';
    if (isNeeded(field) && !isList) yield { what: `${at} missing`, refused: at, inner: others };
    if (!isList) yield { what: `${at} doubled`, refused: at, inner: others + one + one };
    for (const text of mistyped(member))
      yield {
        what: `${at} mistyped ${text.slice(0, 30)}`,
        refused: at,
        inner: `${others}<${name}>${text}</${name}>`,
      };
    for (const text of huge(field)) yield { what: `${at} huge`, refused: null, inner: others + text };
    if (!isKnown || depth === 0) continue;
    for (const { what, refused, inner } of hostileFields(allFields(member), `${at}.`, depth - 1))
      yield { what, refused, inner: `${others}<${name}>${inner}</${name}>` };
  }
}

/** All that is wrong with the arguments of one method. */
export function hostileArguments({ parameters }: Method): Hostile[] {
  return [...hostileFields(parameters, '', DEEP)];
}

/** Arguments that can be read. */
export function readableArguments({ parameters }: Method): string {
  return required(parameters).join('');
}
