/** The surface list is what the package exports and what is tested: one function, one file, one conformance test. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as vix from '../../../lib/facade/vixdisklib/index.js';
import { surface } from '../../../lib/facade/vixdisklib/surface.js';

const names = surface.map(({ name }) => name).sort();
const filesIn = (folder: string, end: string): string[] =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((file) => file.startsWith('VixDiskLib_') && file.endsWith(end))
    .map((file) => file.slice(0, -end.length))
    .sort();

test('all 43 calls are exported, filed and tested, and say why what is not full is not', () => {
  expect(names).toHaveLength(43);
  expect(
    Object.keys(vix)
      .filter((name) => name.startsWith('VixDiskLib_'))
      .sort(),
  ).toEqual(names);
  expect(filesIn('../../../lib/facade/vixdisklib/functions', '.ts')).toEqual(names);
  expect(filesIn('.', '.test.ts')).toEqual(names);
  for (const { name, status, reason } of surface)
    expect([name, status === 'full' || (reason ?? '').length > 5]).toEqual([name, true]);
});
