/** Every method has the API's parameters, by name, in its order and of its types, as the tables of the API tell them. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Field, isReference, METHODS } from '../../../lib/facade/vsphere/schema/schema.js';
import { surface } from '../../../lib/facade/vsphere/surface.js';
import { declaredParameters } from '../../helpers/declaredParameters.js';

const folder = new URL('../../../lib/facade/vsphere/', import.meta.url);
const sources = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(new URL(file, folder), 'utf8'));

const PLAIN: Record<string, string> = { string: 'string', boolean: 'boolean', int: 'number', long: 'number' };

/** What a type of the API is here. */
const typeFor = (type: string): string =>
  PLAIN[type] ?? (isReference(type) ? 'ManagedObjectReference' : type);

const shown = ({ name, type, optional }: Omit<Field, 'since'>): string =>
  `${name}: ${type.replace(/ \| (null|undefined)/g, '')}${optional ? '?' : ''}`;

describe('the signatures', () => {
  test.each(surface.map(({ name }) => name))('%s', (name) => {
    const inner = name[0]!.toLowerCase() + name.slice(1);
    const method = [...METHODS.values()].find((one) => one.name === name || one.inner === inner);
    const [ours, ...others] = sources.flatMap((source) => {
      const found = declaredParameters(source, '\\n  (?:async )?', name);
      return found === null ? [] : [found];
    });
    expect(others).toEqual([]);
    expect(ours?.parameters.map(shown)).toEqual(
      method?.parameters
        // What a newer API added last may be left out.
        .filter(({ since }) => since === null)
        .map((field) => shown({ ...field, type: typeFor(field.type) })),
    );
  });
});
