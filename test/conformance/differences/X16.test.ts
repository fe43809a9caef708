/** docs/differences.md, X16. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
import { connect, path, QCOW2, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X16: an image is one file', async () => {
  const connection = await connect();
  const vmfs: vix.VixDiskLibCreateParams = { ...QCOW2, diskType: vix.VIXDISKLIB_DISK_VMFS_FLAT };
  expect(await vix.VixDiskLib_Create(connection, path('v.vmdk'), vmfs, null, null)).not.toBe(vix.VIX_OK);
  expect(existsSync(path('v.vmdk'))).toBe(false);
  await qemuImg('create', '-q', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', path('f.vmdk'), '1M');
  expect(await vix.VixDiskLib_Unlink(connection, path('f.vmdk'))).toBe(vix.VIX_OK);
  expect([existsSync(path('f.vmdk')), existsSync(path('f-flat.vmdk'))]).toEqual([false, true]);
});
