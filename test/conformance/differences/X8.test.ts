/** docs/differences.md, X8. */
import { expect, test } from 'vitest';
import { ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X8: a disk without a VM is not taken for files of this machine', async () => {
  const fcd: vix.VixDiskLibConnectParams = { specType: vix.VIXDISKLIB_SPEC_VSTORAGE_OBJECT };
  const connection = ref<vix.VixDiskLibConnection>();
  expect(await vix.VixDiskLib_Connect(fcd, connection)).toBe(vix.VIX_E_NOT_SUPPORTED);
  expect(connection.value).toBeUndefined();
});
