/** Property paths: `config.hardware.device[2000].backing`, from an object down its data objects, never through a reference. */
import { InvalidProperty } from '../../../facade/vsphere/index.js';
import { allFields, isA, isReference, TYPES } from '../../../facade/vsphere/schema/schema.js';
import type { Reading } from '../reading.js';
import { Typed } from '../soap/writeValue.js';
import type { WireObject } from '../wireObject.js';

interface Step {
  name: string;
  /** Of the one member that is meant; null for all. */
  key: string | null;
}

const MOST_LENGTH = 1000;
const STEP = /^([A-Za-z_]\w*)(?:\[(?:"([^"]*)"|([^\]]*))\])?(?:\.|$)/;

function parse(path: string): Step[] {
  const steps: Step[] = [];
  if (path.length > MOST_LENGTH) throw invalid(`${path.slice(0, 40)}…`);
  for (let rest = path; rest !== ''; ) {
    const [whole = '', name = '', quoted, bare] = STEP.exec(rest) ?? [];
    if (whole === '' || (whole.endsWith('.') && whole.length === rest.length)) throw invalid(path);
    steps.push({ name, key: quoted ?? bare ?? null });
    rest = rest.slice(whole.length);
  }
  return steps;
}

function invalid(path: string): InvalidProperty {
  return new InvalidProperty(`there is no property ${path}`, { name: path });
}

/** `InvalidProperty` for a path that no object of the type can have. Types that are not known here are not looked into. */
export function checkPath(type: string, path: string): void {
  const steps = parse(path);
  let at = type;
  if (steps.length === 0) throw invalid(path);
  for (const { name, key } of steps) {
    if (!TYPES.has(at)) return;
    const field = fieldOf(at, name);
    if (field === undefined) throw invalid(path);
    const isList = field.endsWith('[]');
    at = isList && key !== null ? field.slice(0, -2) : field;
    if (at === 'anyType') return;
  }
}

/** The declared type of a field, of the type itself or of one that inherits from it. */
function fieldOf(type: string, name: string): string | undefined {
  const own = allFields(type).find((field) => field.name === name)?.type;
  if (own !== undefined) return own;
  for (const other of TYPES.values()) {
    if (other.name === type || !isA(other.name, type)) continue;
    const found = other.fields.find((field) => field.name === name);
    if (found !== undefined) return found.type;
  }
  return undefined;
}

/** The value at a path, with the type declared there; null where it is unset. `InvalidProperty` where there can be none. */
export async function readPath(object: WireObject, path: string, reading: Reading): Promise<Typed | null> {
  checkPath(object.type, path);
  const [first, ...steps] = parse(path);
  if (first === undefined) throw invalid(path);
  let value = await object.read(first.name, reading);
  let type = fieldOf(object.type, first.name) ?? 'anyType';
  for (const step of [{ name: '', key: first.key }, ...steps]) {
    if (value === undefined || value === null) return null;
    if (step.name !== '') {
      if (typeof value !== 'object' || Array.isArray(value) || isReference(type)) return null;
      type = fieldOf(actualType(value, type), step.name) ?? 'anyType';
      value = (value as Record<string, unknown>)[step.name];
    }
    if (step.key !== null) {
      if (!Array.isArray(value)) return null;
      value = value.find((one) => isKeyed(one, step.key));
      type = type.replace(/\[\]$/, '');
    }
  }
  return value === undefined || value === null ? null : new Typed(value, type);
}

function actualType(value: object, declared: string): string {
  const told = (value as { _type?: unknown })._type;
  return typeof told === 'string' ? told : declared;
}

function isKeyed(one: unknown, key: string | null): boolean {
  if (typeof one !== 'object' || one === null) return String(one) === key;
  const { key: own, value } = one as { key?: unknown; value?: unknown };
  return String(own ?? value) === key;
}

/** The properties that a type has and the object serves, for `all`. */
export function servedProperties(object: WireObject): string[] {
  return Object.keys(object.properties);
}
