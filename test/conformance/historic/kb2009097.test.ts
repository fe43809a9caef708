/** KB 2009097: a disk moved to a datastore with another block size gave faults.
 * Here: the image moves to another cluster size with its bitmaps, and the same changeId has the same answer. */

import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
import { enable, KIB64, MIB, pairs, pointInTime, snapshot, startOn, startVm } from '../vsphere/support.js';

test('a move to another cluster size', async () => {
  const { vm, daemon, folder, key } = await startVm();
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', 'write 1M 64k', 'write 9M 64k');
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  const file = join(folder, 'd.qcow2');
  await qemuImg('convert', '-q', '--bitmaps', '-O', 'qcow2', '-o', 'cluster_size=4k', file, `${file}.new`);
  await rename(`${file}.new`, file);
  const next = await startOn(folder);
  const { reference } = await snapshot(next.vm);
  expect(pairs((await next.vm.QueryChangedDiskAreas(reference, key, 0, base)).changedArea)).toEqual([
    [MIB, KIB64],
    [9 * MIB, KIB64],
  ]);
});
