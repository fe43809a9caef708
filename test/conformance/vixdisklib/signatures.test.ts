/** Every function has the header's parameters, by their names, in its order and of its types, as native/vixdisklib/include/vixDiskLib.h declares them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { surface } from '../../../lib/facade/vixdisklib/surface.js';
import { declaredParameters } from '../../helpers/declaredParameters.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

interface Declaration {
  returns: string;
  parameters: { name: string; type: string }[];
}

/** Types without `const` and spaces: whether what is pointed to may be written shows in the name here (`Ref`). */
const bare = (type: string): string => type.replace(/\bconst\b|\s/g, '');

const header = read('native/vixdisklib/include/vixDiskLib.h').replace(/\/\*[\s\S]*?\*\//g, '');
const declared = new Map<string, Declaration>();
for (const [, returns = '', name = '', list = ''] of header.matchAll(
  /^((?:const )?\w+ \**)(VixDiskLib_\w+)\(([^)]*)\);/gm,
)) {
  const parameters = list === 'void' ? [] : list.split(',').map(parameterOf);
  declared.set(name, { returns: bare(returns), parameters });
}

function parameterOf(text: string): { name: string; type: string } {
  const [, type = '', name = ''] = /^\s*([\s\S]*?)(\w+)\s*$/.exec(text) ?? [];
  return { name, type: bare(type) };
}

const none = '(?: \\| null)?(?: \\| undefined)?$';
const orNone = (type: string): RegExp => new RegExp(`^${type}${none}`);

/** What a type of C is here. */
const TYPES: Record<string, RegExp> = {
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

function typeFor(type: string, name: string): RegExp {
  // Room for a text that is given back.
  if (type === 'char*' && /^(buf|keys)$/.test(name)) return orNone('(Buffer|Uint8Array|Ref<.*>)');
  const known = TYPES[type];
  if (known !== undefined) return known;
  // A box: of a number, of a handle, or of what the library allocates.
  if (/^(VixDiskLibConnection|VixDiskLibHandle)\*$|\*\*$|^(uint32|uint64|size_t)\*$/.test(type))
    return orNone('Ref<.*>');
  return orNone(type.replace(/\*$/, ''));
}

describe('the signatures', () => {
  test('the header declares what the surface lists, and nothing else', () => {
    expect([...declared.keys()].sort()).toEqual(surface.map(({ name }) => name).sort());
  });

  // What is absent takes anything, and refuses.
  const there = surface.filter(({ status }) => status !== 'absent');
  test.each(there.map(({ name }) => name))('%s', (name) => {
    const declaration = declared.get(name);
    const ours = declaredParameters(read(`lib/facade/vixdisklib/functions/${name}.ts`), 'function ', name);
    expect(ours?.parameters.map((one) => one.name)).toEqual(declaration?.parameters.map((one) => one.name));
    expect(ours?.parameters.map(({ type }) => type)).toEqual(
      declaration?.parameters.map((one) => expect.stringMatching(typeFor(one.type, one.name))),
    );
    const returns = { void: /^void$/, 'char*': orNone('string') }[declaration?.returns ?? ''];
    expect(ours?.returns).toMatch(returns ?? orNone(String(declaration?.returns).replace(/\*$/, '')));
  });
});
