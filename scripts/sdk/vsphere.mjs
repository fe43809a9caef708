/** qemu-cbt/vsphere beside the API's type tables (lib/facade/vsphere/schema): methods, and the properties of every type that is exported. */
import { membersOf } from './declarations.mjs';

const schema = new URL('../../dist/facade/vsphere/schema/schema.js', import.meta.url);
const { allFields, ENUMS, isA, isReference, METHODS, TYPES } = await import(schema.href);

const PLAIN = {
  string: 'string',
  DateTime: 'string',
  int: 'number',
  long: 'number',
  short: 'number',
  boolean: 'boolean',
};
PLAIN.MethodName = PLAIN.TypeName = PLAIN.PropertyPath = 'string';

/** What an object has for this library, and the API's has not. */
const OWN = { VirtualMachine: ['entry'], VirtualMachineSnapshot: ['session'] };
/** What pyVmomi gives its faults and objects beside their properties. */
const BINDING = ['msg', '_moId'];

const withoutNone = (type) => type.replace(/ \| (null|undefined)\b/g, '').trim();

/** Whether one of ours can be what the API says; `type` is the API's. */
function fits(ours, type) {
  const text = withoutNone(ours);
  if (type.endsWith('[]'))
    return (
      /^(readonly )?[\s\S]*\[\]$/.test(text) &&
      fits(
        text
          .replace(/^readonly /, '')
          .slice(0, -2)
          .replace(/^\(([\s\S]*)\)$/, '$1'),
        type.slice(0, -2),
      )
    );
  if (type === 'anyType') return true;
  const words = ENUMS.get(type);
  const literals = text.split(' | ').map((one) => /^'(.*)'$/.exec(one)?.[1]);
  if (words !== undefined) return text === 'string' || literals.every((one) => words.includes(one));
  if (PLAIN[type] === 'boolean') return /^(boolean|true|false)$/.test(text);
  if (PLAIN[type] === 'string')
    return text === 'string' || literals.every((one) => one !== undefined) || /^"[^"]*"$/.test(text);
  if (PLAIN[type] !== undefined) return text === PLAIN[type] || /^\d+$/.test(text);
  if (text.startsWith('{')) {
    // One that says which type it is may be of one that inherits.
    const [, said = type] = /_type: '(\w+)'/.exec(text) ?? [];
    return isA(said, type) && difference(said, membersOf(text.slice(1, -1))).wrong.length === 0;
  }
  // A class by its own name, one that inherits, or what stands for a managed object.
  const [, name] = /^(\w+)/.exec(text) ?? [];
  if (isReference(type))
    return /^(ManagedObjectReference|ManagedEntity|this|Vm|Child)$/.test(name) || isA(name, type);
  return TYPES.has(name) ? isA(name, type) : /^(SnapshotConfigInfo|T)$/.test(name);
}

/** The properties of one of ours beside those of the API's type. */
function difference(name, members) {
  const own = [...(OWN[name] ?? []), ...BINDING];
  const isManaged = TYPES.get(name).kind === 'managed';
  const properties = members.filter(({ name: property, call }) => call === undefined && property !== '_type');
  // A managed object is its own reference (V8).
  const ours = properties.filter(({ name: property }) => !(isManaged && /^(type|value)$/.test(property)));
  const fields = allFields(name).filter(({ since }) => since === null);
  const known = new Map(fields.map((field) => [field.name, field]));
  const wrong = ours.flatMap(({ name: property, type, optional }) => {
    if (own.includes(property)) return [];
    const field = known.get(property);
    if (field === undefined) return [`${property} is none of the API's`];
    if (type !== 'undefined' && !fits(type.replace(/^ = /, ''), field.type))
      return [`${property} is ${withoutNone(type)}, not ${field.type}`];
    return optional && !field.optional ? [`${property} may be missing`] : [];
  });
  const there = ours.map(({ name: property }) => property);
  const lacking = fields.map((field) => field.name).filter((field) => !there.includes(field));
  return {
    name,
    of: fields.length,
    there: fields.length - lacking.length,
    lacking,
    more: OWN[name] ?? [],
    wrong,
  };
}

/** Its members, those that it inherits included. */
function allMembers(declarations, name) {
  const { base, members } = declarations.get(name);
  const inherited = base !== null && declarations.has(base) ? allMembers(declarations, base) : [];
  return [...inherited.filter((one) => !members.some((own) => own.name === one.name)), ...members];
}

const shown = ({ name, optional }) => `${name}${optional ? '?' : ''}`;
const typeOf = (type) => PLAIN[type] ?? (isReference(type) ? 'ManagedObjectReference' : type);

function ofMethod(declarations, types, { name, inner, parameters, result }) {
  const all = [...declarations.values()].flatMap(({ members = [] }) => members);
  const found = all.filter(
    (one) => one.call !== undefined && [name, inner[0].toUpperCase() + inner.slice(1)].includes(one.name),
  );
  const [ours] = found;
  if (ours === undefined || found.length > 1)
    return [ours === undefined ? 'it is not there' : 'it is there twice'];
  // What a newer API added last may be left out.
  const wanted = parameters.filter(({ since }) => since === null);
  // Beside the caller's signal and time, which every call takes here (V17).
  const given = ours.call.parameters.filter(({ type }) => type !== 'CallOptions');
  const differences = wanted.flatMap((field, at) => {
    const one = given[at];
    if (one === undefined || shown(one) !== shown(field))
      return [`${shown(field)} is ${one ? shown(one) : 'not there'}`];
    return withoutNone(one.type) === typeOf(field.type)
      ? []
      : [`${field.name} (${field.type}) is ${one.type}`];
  });
  differences.push(...given.slice(wanted.length).map((one) => `${one.name} is more`));
  // An answer that lacks properties is a part of the API's.
  const answer = types.find(
    (type) => type.name === result.replace(/[?[\]]/g, '') && TYPES.get(type.name).kind === 'data',
  );
  if (answer !== undefined && answer.lacking.length > 0)
    differences.push(`its ${answer.name} has ${answer.there} of ${answer.of} properties (V13)`);
  return differences;
}

/** What differs, by method; the types with their properties. */
export function compare(declarations) {
  const known = [...declarations.values()].filter(
    ({ name, members }) => members !== undefined && TYPES.has(name),
  );
  const types = known.map(({ name }) => difference(name, allMembers(declarations, name)));
  const methods = [...METHODS.values()];
  const functions = new Map(methods.map((method) => [method.name, ofMethod(declarations, types, method)]));
  // Over the wire by another name than in a program.
  functions.set('RetrieveContent', functions.get('RetrieveServiceContent'));
  return { functions, types };
}
