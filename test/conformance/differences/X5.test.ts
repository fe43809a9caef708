/** docs/differences.md, X5. */
import { expect, test } from 'vitest';
import { connect, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X5: texts end with the newest reason', async () => {
  await vix.VixDiskLib_Open(await connect(), '/no/such', 0, ref());
  expect(vix.VixDiskLib_GetErrorText(vix.VIX_E_FILE_NOT_FOUND)).toMatch(/: \/no\/such is not there$/);
});
