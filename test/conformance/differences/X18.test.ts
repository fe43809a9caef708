/** docs/differences.md, X18. */
import { expect, test } from 'vitest';
import { connect, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X18: what fails is told to the log, and to no other function', async () => {
  const told: string[] = [];
  const tell = (name: string) => () => void told.push(name);
  const [log, warn, panic] = [tell('log'), tell('warn'), tell('panic')] as const;
  expect(vix.VixDiskLib_InitEx(6, 5, log, warn, panic, '/no/such/folder', '/no/such/file')).toBe(vix.VIX_OK);
  await vix.VixDiskLib_Open(await connect(), '/no/such', 0, ref());
  expect(new Set(told)).toEqual(new Set(['log']));
});
