/** KB 1021607: before vSphere 5.0 the counter went on after a revert, and one changeId could mean two timelines.
 * Here: an older copy of the image comes back; changeIds of the time after it are faults, also once their place in the history is taken again. */

import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { enable, faultOf, pointInTime, snapshot, startOn, startVm } from '../vsphere/support.js';

test('an image that was set back', async () => {
  const { vm, daemon, folder, key } = await startVm();
  await enable(vm);
  const early = await pointInTime(vm);
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  await copyFile(join(folder, 'd.qcow2'), join(folder, 'old'));
  const first = await startOn(folder);
  await first.daemon.guestIo('d', 'write 0 64k');
  const lost = await pointInTime(first.vm);
  await first.daemon.process.control.execute('quit');
  await first.daemon.process.ended;
  await copyFile(join(folder, 'old'), join(folder, 'd.qcow2'));
  const back = await startOn(folder);
  await back.daemon.guestIo('d', 'write 1M 64k');
  const now = await snapshot(back.vm);
  // The same place in the same history, and another instant: the bits of its PIT tell.
  const [epoch, number] = now.changeId.split('/');
  const [lostEpoch, lostNumber] = lost.split('/');
  const placeOf = (text: string | undefined): number => Math.floor(Number(text) / 2 ** 32);
  expect([epoch, placeOf(number)]).toEqual([lostEpoch, placeOf(lostNumber)]);
  expect(now.changeId).not.toBe(lost);
  expect((await faultOf(back.vm.QueryChangedDiskAreas(now.reference, key, 0, lost))).name).toBe('FileFault');
  const { changedArea } = await back.vm.QueryChangedDiskAreas(now.reference, key, 0, early);
  expect(changedArea).toEqual([{ start: 1 << 20, length: 65536 }]);
});
