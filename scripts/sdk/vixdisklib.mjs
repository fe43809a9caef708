/** qemu-cbt/vixdisklib beside the header, as native/vixdisklib/include/vixDiskLib.h has it: parameters by name, constants, structures. */
import { readFileSync } from 'node:fs';

const path = (name) => new URL(`../../${name}`, import.meta.url);
const header = readFileSync(path('native/vixdisklib/include/vixDiskLib.h'), 'utf8').replace(
  /\/\*[\s\S]*?\*\//g,
  '',
);

/** Types without `const` and spaces: whether what is pointed to may be written shows in the name here (`Ref`). */
const bare = (type) => type.replace(/\bconst\b|\s/g, '');

function fieldOf(text) {
  const [, type = '', name = ''] = /^\s*([\s\S]*?)(\w+)(?:\[\d+\])?\s*$/.exec(text) ?? [];
  return { name, type: bare(type) };
}

const none = '(?: \\| null)?(?: \\| undefined)?$';
const orNone = (type) => new RegExp(`^${type}${none}`);

/** What a type of C is here. */
const TYPES = {
  'char*': orNone('string'),
  uint32: /^(number|VixDiskLibOpenFlags)$/,
  VixError: /^(VixError|number( \| bigint)?)$/,
  Bool: /^boolean$/,
  size_t: /^number$/,
  VixDiskLibSectorType: /^number( \| bigint)?$/,
  'VixDiskLibGenericLogFunc*': orNone('VixDiskLibGenericLogFunc'),
  'void*': /^unknown$/,
  'uint8*': orNone('(Buffer|Uint8Array)'),
};

function typeFor(type, name) {
  // Room for a text that is given back.
  if (type === 'char*' && /^(buf|keys)$/.test(name)) return orNone('(Buffer|Uint8Array|Ref<.*>)');
  if (TYPES[type] !== undefined) return TYPES[type];
  // A box: of a number, of a handle, or of what the library allocates.
  if (/^(VixDiskLibConnection|VixDiskLibHandle)\*$|\*\*$|^(uint32|uint64|size_t)\*$/.test(type))
    return orNone('Ref<.*>');
  return orNone(type.replace(/\*$/, ''));
}

function ofFunction(ours, returns, parameters) {
  if (ours === undefined) return ['it is not exported'];
  const found = ours.call.parameters;
  const differences = parameters.flatMap(({ name, type }, at) => {
    const one = found[at];
    if (one?.name !== name) return [`${name} is ${one?.name ?? 'not there'}`];
    return typeFor(type, name).test(one.type) ? [] : [`${name} (${type}) is ${one.type}`];
  });
  const result = { void: /^void$/, 'char*': orNone('string') }[returns] ?? orNone(returns.replace(/\*$/, ''));
  if (!result.test(ours.call.returns)) differences.push(`returns ${ours.call.returns}, not ${returns}`);
  return [...differences, ...found.slice(parameters.length).map(({ name }) => `${name} is more`)];
}

/** Values of `#define NAME …` and of enumerations; names in them are looked up, `a << b` and `a * b` worked out. */
function constantsOfHeader() {
  const values = new Map();
  const worth = (text) => {
    const [, left, operator, right] = /^(\w+) (<<|\*) (\w+)$/.exec(text.replace(/[()]/g, '').trim()) ?? [];
    if (left !== undefined)
      return operator === '*' ? worth(left) * worth(right) : worth(left) << worth(right);
    return values.get(text) ?? Number(text);
  };
  const all = /^#define (VIXDISKLIB_\w+) (.+)$|^ {2}(VIXDISKLIB_\w+) = (\d+)/gm;
  for (const [, name, text, word, number] of header.matchAll(all))
    values.set(name ?? word, worth(text ?? number));
  values.delete('VIXDISKLIB_VERSION');
  return values;
}

/** What is memory of the library's own. */
const INNER = ['reserved', 'state'];

function ofStructure(declarations, [, name, body]) {
  const fields = body.split(';').flatMap((text) => (text.trim() === '' ? [] : [fieldOf(text).name]));
  const there = declarations.get(name)?.members.map((member) => member.name) ?? null;
  // Members of a union that have no name of their own here.
  if (there === null) return [];
  const wanted = fields.filter((field) => !INNER.includes(field));
  const lacking = wanted.filter((field) => !there.includes(field));
  const more = there.filter((field) => !fields.includes(field));
  return [{ name, of: wanted.length, there: wanted.length - lacking.length, lacking, more, renamed: [] }];
}

/** What differs, by function; the constants by name; the structures. */
export function compare(declarations) {
  const prototypes = [...header.matchAll(/^((?:const )?\w+ \**)(VixDiskLib_\w+)\(([^)]*)\);/gm)];
  const codes = JSON.parse(readFileSync(path('scripts/sdk/vixdisklib.json'), 'utf8')).codes;
  const declared = [
    ...constantsOfHeader(),
    ...Object.entries(codes).map(([name, { value }]) => [name, value]),
  ];
  const wrong = declared.flatMap(([name, value]) => {
    const ours = declarations.get(name)?.value;
    return Number(ours) === value ? [] : [`${name} is ${ours}`];
  });
  const structures = [...header.matchAll(/^typedef (?:struct|union) (\w+) \{([^}]*)\}/gm)];
  return {
    declaredFunctions: prototypes.length,
    functions: new Map(
      prototypes.map(([, returns, name, list]) => {
        const parameters = list === 'void' ? [] : list.split(',').map(fieldOf);
        return [name, ofFunction(declarations.get(name), bare(returns), parameters)];
      }),
    ),
    constants: { declared: declared.length, wrong },
    types: structures.flatMap((one) => ofStructure(declarations, one)),
  };
}
