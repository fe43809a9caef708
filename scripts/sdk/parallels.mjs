/** qemu-cbt/parallels beside the Virtuozzo SDK's headers, as the files beside this tell them: parameters, constants, structures. */
import { readFileSync } from 'node:fs';

const facts = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8'));

/** What a type of C is here. Boxes and numbers are what is left. */
const TYPES = {
  PRL_HANDLE: /^PRL_HANDLE$/,
  PRL_CONST_STR: /^string \| null/,
  PRL_STR: /^PrlBuffer \| null/,
  PRL_EVENT_HANDLER_PTR: /^PRL_EVENT_HANDLER_PTR \| null$/,
  PRL_VOID_PTR: /^(unknown|PrlBuffer \| (string \| )?null.*)$/,
  PRL_CONST_VOID_PTR: /^(unknown|PrlBuffer \| null)$/,
  PRL_CONST_GUID_PTR: /^string \| null/,
  PRL_RESULT: /^PRL_RESULT$/,
  PRL_CONST_DISK_PARAMETERS_PTR: /^Pick<PRL_DISK_PARAMETERS, .*> \| null$/,
  // What is never called, and what is never looked at.
  PRL_DISK_CALLBACK: /^unknown$/,
  PRL_STATES_CALLBACK: /^unknown$/,
  'PRL_BACKUP_PARAM*': /^unknown$/,
};
const typeFor = (type) =>
  TYPES[type] ?? (/_PTR$/.test(type) ? /^(Ref<|PrlBuffer \| null)/ : /^number( \| bigint)?$/);

function ofFunction(ours, { returns, parameters }) {
  if (ours === undefined) return ['it is not exported'];
  const found = ours.call.parameters;
  const differences = parameters.flatMap(([type, name], at) => {
    const is = found[at]?.type ?? '';
    // An enumeration of the SDK's has its name here too.
    const fits = is === type || typeFor(type.replace(/^const /, '')).test(is);
    return fits ? [] : [`${name} (${type}) is ${found[at]?.type ?? 'not there'}`];
  });
  if (ours.call.returns !== returns) differences.push(`returns ${ours.call.returns}, not ${returns}`);
  const more = found.slice(parameters.length).map(({ name }) => `${name} is more`);
  return [...differences, ...more];
}

/** Fields of a structure that have another name here. */
const FIELDS = {
  PRL_DISK_PARAMETERS: { Uid: 'm_Uuid', Name: 'm_Name' },
  PRL_IMAGE_PARAMETERS: { Type: 'm_Type', uStart: 'm_Start', uSize: 'm_Size', pFileName: 'm_FileName' },
};
/** Structures that have another name here. */
const STRUCTURES = { PRL_IMAGE_PARAMETERS: 'PRL_STORAGE_PARAMETERS' };

function ofStructure(declarations, [name, fields]) {
  const own = STRUCTURES[name] ?? name;
  const there = (declarations.get(own)?.members ?? []).map((member) => member.name);
  const names = Object.keys(fields).map((field) => [field, FIELDS[name]?.[field] ?? field]);
  const lacking = names.filter(([, ours]) => !there.includes(ours)).map(([field]) => field);
  const more = there.filter((field) => !names.some(([, ours]) => ours === field));
  const renamed = names
    .filter(([field, ours]) => field !== ours)
    .map(([field, ours]) => `${field} is ${ours}`);
  if (own !== name) renamed.unshift(`it is ${own}`);
  return { name, of: names.length, there: names.length - lacking.length, lacking, more, renamed };
}

/** What differs, by function; the constants by name; the structures. */
export function compare(declarations) {
  const functions = Object.entries(facts('parallels-functions'));
  const { structures, ...kinds } = facts('parallels');
  const declared = Object.values(kinds).flatMap(Object.entries);
  const wrong = declared.flatMap(([name, { value }]) => {
    const ours = declarations.get(name)?.value;
    return ours !== undefined && (Number(ours) | 0) === (Number(value) | 0) ? [] : [`${name} is ${ours}`];
  });
  return {
    declaredFunctions: functions.length,
    functions: new Map(functions.map(([name, facts]) => [name, ofFunction(declarations.get(name), facts)])),
    constants: { declared: declared.length, wrong },
    types: Object.entries(structures).map((one) => ofStructure(declarations, one)),
  };
}
