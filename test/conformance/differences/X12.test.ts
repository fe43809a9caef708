/** docs/differences.md, X12. */
import { expect, test } from 'vitest';
import { startPython } from '../../helpers/compiledProgram.js';
import { makeImage, useLibrary } from '../vixdisklib/support.js';

useLibrary();

test('X12: the library is begun as often as it is ended', async () => {
  const file = await makeImage();
  const { client } = await startPython();
  for (const begun of [0, 0]) expect(await client.step('init')).toBe(begun);
  expect(await client.step(`open ${file}`)).toBe(0);
  await client.step('exit');
  expect(await client.step('read 0')).toMatch(/^bytes/);
  await client.step('exit');
  expect(await client.step('read 0')).toBe(1000);
});
