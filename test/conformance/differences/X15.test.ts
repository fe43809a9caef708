/** docs/differences.md, X15. */
import { expect, test } from 'vitest';
import { makeImage, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X15: a connection reaches files of this machine, whoever logs in', async () => {
  const connection = ref<vix.VixDiskLibConnection>();
  const params: vix.VixDiskLibConnectParams = { serverName: 'vcenter', thumbPrint: '00' };
  expect(await vix.VixDiskLib_Connect(params, connection)).toBe(vix.VIX_OK);
  const disk = ref<vix.VixDiskLibHandle>();
  const flags = vix.VIXDISKLIB_FLAG_OPEN_READ_ONLY;
  expect(await vix.VixDiskLib_Open(connection.value!, await makeImage(), flags, disk)).toBe(vix.VIX_OK);
  expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
});
