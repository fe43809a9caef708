/** docs/differences.md, X14. */
import { expect, test } from 'vitest';
import { startPython } from '../../helpers/compiledProgram.js';
import { makeImage, useLibrary } from '../vixdisklib/support.js';

useLibrary();

test('X14: a copy of the process has no library, and the parent keeps its own', async () => {
  const file = await makeImage();
  const { client } = await startPython();
  await client.step('init');
  await client.step(`open ${file}`);
  expect(await client.step('fork')).toBe(0);
  expect(await client.step('read 0')).toMatch(/^bytes/);
});
