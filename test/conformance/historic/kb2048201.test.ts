/** KB 2048201: on vSphere 5.x every storage move forced a full backup.
 * Here: the bitmaps are in the image and move with it. */

import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { enable, KIB64, MIB, pairs, pointInTime, snapshot, startOn, startVm } from '../vsphere/support.js';

test('a storage move', async () => {
  const { vm, daemon, folder } = await startVm();
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', 'write 1M 64k');
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  const other = await makeTemporaryFolder();
  try {
    await copyFile(join(folder, 'd.qcow2'), join(other.path, 'd.qcow2'));
    const next = await startOn(other.path);
    const { reference } = await snapshot(next.vm);
    expect(pairs((await next.vm.QueryChangedDiskAreas(reference, next.key, 0, base)).changedArea)).toEqual([
      [MIB, KIB64],
    ]);
    await next.vm.RemoveAllSnapshots_Task().wait();
  } finally {
    await other.remove();
  }
});
