/** docs/differences.md, X6. */
import { expect, test } from 'vitest';
import { ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X6: a running VM is opened through a snapshot only', async () => {
  expect(await vix.VixDiskLib_ConnectEx({ vmxSpec: 'moref=vm-1' }, true, null, null, ref())).toBe(
    vix.VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
  );
});
