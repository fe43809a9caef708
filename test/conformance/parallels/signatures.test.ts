/** Every function has the SDK's parameters, in its order and of its types, as scripts/sdk/parallels-functions.json tells them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { surface } from '../../../lib/facade/parallels/surface.js';

interface Declaration {
  returns: string;
  parameters: [type: string, name: string][];
}
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const declared = JSON.parse(read('scripts/sdk/parallels-functions.json')) as Record<string, Declaration>;

/** What a type of C is here. Boxes and numbers are what is left. */
const TYPES: Record<string, RegExp> = {
  PRL_HANDLE: /^PRL_HANDLE$/,
  PRL_CONST_STR: /^string \| null/,
  PRL_STR: /^PrlBuffer \| null/,
  PRL_EVENT_HANDLER_PTR: /^PRL_EVENT_HANDLER_PTR \| null$/,
  PRL_VOID_PTR: /^(unknown|PrlBuffer \| null.*)$/,
  PRL_CONST_VOID_PTR: /^(unknown|PrlBuffer \| null)$/,
  PRL_CONST_GUID_PTR: /^string \| null/,
  PRL_RESULT: /^PRL_RESULT$/,
  PRL_CONST_DISK_PARAMETERS_PTR: /^Pick<PRL_DISK_PARAMETERS, .*> \| null$/,
  // What is never called, and what is never looked at.
  PRL_DISK_CALLBACK: /^unknown$/,
  PRL_STATES_CALLBACK: /^unknown$/,
  'PRL_BACKUP_PARAM*': /^unknown$/,
};

const typeFor = (type: string): RegExp =>
  TYPES[type] ?? (type.endsWith('_PTR') ? /^(Ref<|PrlBuffer \| null)/ : /^number( \| bigint)?$/);

/** Parameters of a function's one declaration: their types, in order. */
function parametersOf(name: string): { types: string[]; returns: string } {
  const source = read(`lib/facade/parallels/functions/${name}.ts`);
  const [, list = '', returns = ''] =
    new RegExp(`export (?:async )?function ${name}\\(([^]*?)\\): ([\\w<>]+) \\{`).exec(source) ?? [];
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of list) {
    if ('<({['.includes(character)) depth += 1;
    if ('>)}]'.includes(character)) depth -= 1;
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  if (part.trim() !== '') parts.push(part);
  const types = parts.map((text) => {
    const [, type, value] = /^\s*\w+\??(?:: ([^=]+?))?(?: = (.+?))?\s*$/.exec(text) ?? [];
    return type ?? (value === undefined ? text : typeof JSON.parse(value));
  });
  return { types, returns };
}

describe('the signatures', () => {
  test.each(surface.map(({ name }) => name))('%s', (name) => {
    const declaration = declared[name];
    expect(declaration, 'declared in the SDK').toBeDefined();
    const { types, returns } = parametersOf(name);
    expect(returns.replace(/^Promise<(.*)>$/, '$1')).toBe(declaration!.returns);
    expect(types).toEqual(
      declaration!.parameters.map(([type]) => expect.stringMatching(typeFor(type.replace(/^const /, '')))),
    );
  });
});
