/** docs/differences.md, X2. */
import { expect, test } from 'vitest';
import { ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X2: out parameters are boxes, results of I/O are promises', async () => {
  const connection = ref<vix.VixDiskLibConnection>();
  const connecting = vix.VixDiskLib_Connect(null, connection);
  expect(connecting).toBeInstanceOf(Promise);
  expect(await connecting).toBe(vix.VIX_OK);
  expect(connection.value).toBeInstanceOf(vix.VixDiskLibConnection);
  expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
});
