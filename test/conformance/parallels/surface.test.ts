/** The surface list is what the package exports and what is tested: one function, one file, one conformance test. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as prl from '../../../lib/facade/parallels/index.js';
import { surface } from '../../../lib/facade/parallels/surface.js';

const names = surface.map(({ name }) => name).sort();
const filesIn = (folder: string, end: string): string[] =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((file) => file.startsWith('Prl') && file.endsWith(end))
    .map((file) => file.slice(0, -end.length))
    .sort();

describe('the surface', () => {
  test('is what is exported, filed and tested', () => {
    expect(
      Object.keys(prl)
        .filter((name) => /^Prl[A-Z][A-Za-z]*_/.test(name))
        .sort(),
    ).toEqual(names);
    expect(filesIn('../../../lib/facade/parallels/functions', '.ts')).toEqual(names);
    expect(filesIn('.', '.test.ts')).toEqual(names);
  });
  test('says why what is not full is not', () => {
    for (const { name, status, reason } of surface)
      expect([name, status === 'full' || (reason ?? '').length > 5]).toEqual([name, true]);
  });
});
