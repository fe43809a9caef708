/** docs/differences.md, X7. */
import { expect, test } from 'vitest';
import { ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X7: parameters are told without credentials', async () => {
  const connection = ref<vix.VixDiskLibConnection>();
  const creds = { uid: { userName: 'me', password: 'secret' } };
  expect(await vix.VixDiskLib_Connect({ serverName: 'here', creds }, connection)).toBe(vix.VIX_OK);
  const params = ref<vix.VixDiskLibConnectParams>();
  expect(vix.VixDiskLib_GetConnectParams(connection.value, params)).toBe(vix.VIX_OK);
  expect(params.value).toEqual({ serverName: 'here' });
  await vix.VixDiskLib_Disconnect(connection.value);
});
