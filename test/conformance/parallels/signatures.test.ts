/** Every function has the SDK's parameters, in its order and of its types, as scripts/sdk/parallels-functions.json tells them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { surface } from '../../../lib/facade/parallels/surface.js';
import { declaredParameters } from '../../helpers/declaredParameters.js';

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

describe('the signatures', () => {
  test.each(surface.map(({ name }) => name))('%s', (name) => {
    const declaration = declared[name];
    const ours = declaredParameters(read(`lib/facade/parallels/functions/${name}.ts`), 'function ', name);
    expect(ours?.returns).toBe(declaration?.returns);
    expect(ours?.parameters.map(({ type }) => type)).toEqual(
      declaration?.parameters.map(([type]) => expect.stringMatching(typeFor(type.replace(/^const /, '')))),
    );
  });
});
