/** docs/differences.md, X11. */
import { expect, test } from 'vitest';
import { startPython } from '../../helpers/compiledProgram.js';

test('X11: a server that is not this machine has none of its VMs', async () => {
  const { client } = await startPython();
  await client.step('init');
  expect(await client.step('connect moref=vm-1 vcenter.example.invalid')).toBe(18000);
  expect(await client.step('text 18000')).toContain('vcenter.example.invalid is not this machine');
  expect(await client.step('connect moref=vm-1 localhost')).toBe(4000);
});
