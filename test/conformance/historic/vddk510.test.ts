/** VDDK 5.1.0: an open without thumbprint was a crash.
 * Here: every parameter may be NULL. */
import { expect, test } from 'vitest';
import { ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();
test('NULL for everything', async () => {
  const none = { vmxSpec: null, serverName: null, thumbPrint: null, creds: null, vimApiVer: null };
  const connection = ref<vix.VixDiskLibConnection>();
  expect(await vix.VixDiskLib_ConnectEx(none, true, null, null, connection)).toBe(vix.VIX_OK);
  expect(await vix.VixDiskLib_Open(connection.value!, null, 0, ref())).toBe(vix.VIX_E_INVALID_ARG);
  expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
});
