/** ESX and "*" with snapshots: the list of what is allocated was wrong or slow.
 * Here: over a chain of three layers "*" is the union of what they hold. */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { KIB64, MIB, pairs, snapshot, startOn } from '../vsphere/support.js';

test('* over three layers', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const layer = (name: string): string => join(folder.path, name);
    await qemuImg('create', '-q', '-f', 'qcow2', layer('a'), '64M');
    await qemuIo(['-f', 'qcow2', layer('a')], 'write 0 64k');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', layer('a'), '-F', 'qcow2', layer('b'));
    await qemuIo(['-f', 'qcow2', layer('b')], 'write 1M 64k');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', layer('b'), '-F', 'qcow2', layer('d.qcow2'));
    const { vm, daemon, key } = await startOn(folder.path);
    await daemon.guestIo('d', 'write 2M 64k');
    const { reference } = await snapshot(vm);
    expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, '*')).changedArea)).toEqual([
      [0, KIB64],
      [MIB, KIB64],
      [2 * MIB, KIB64],
    ]);
    await vm.RemoveAllSnapshots_Task().wait();
  } finally {
    await folder.remove();
  }
});
