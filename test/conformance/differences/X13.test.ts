/** docs/differences.md, X13. */
import { expect, test } from 'vitest';
import { startPython } from '../../helpers/compiledProgram.js';
import { makeImage, useLibrary } from '../vixdisklib/support.js';

useLibrary();

test('X13: what would wait for a callback is refused in one', async () => {
  const file = await makeImage();
  const { client } = await startPython();
  await client.step('init');
  await client.step(`open ${file}`);
  // VIX_ASYNC, the wait outside, then in the callback: its result, a wait, a close, a beginning, and an end, which is none.
  expect(await client.step('callback')).toEqual([25000, 0, 0, 1, 1, 1]);
  expect(await client.step('read 0')).toMatch(/^bytes/);
});
