/** Broadcom 432633: after a power cut the map in memory was gone.
 * Here: a killed QEMU costs the history, and that is said; no changeId of before ever answers again. */
import { expect, test } from 'vitest';
import { enable, faultOf, pointInTime, snapshot, startOn, startVm } from '../vsphere/support.js';

test('a QEMU that was killed', async () => {
  const { vm, daemon, folder, key } = await startVm();
  await enable(vm);
  const base = await pointInTime(vm);
  process.kill(daemon.process.pid, 'SIGKILL');
  await daemon.process.ended;
  const next = await startOn(folder);
  const { reference, taken, changeId } = await snapshot(next.vm);
  expect((await faultOf(next.vm.QueryChangedDiskAreas(reference, key, 0, base))).name).toBe('FileFault');
  expect(changeId.split('/')[0]).not.toBe(base.split('/')[0]);
  await taken.RemoveSnapshot_Task(false).wait();
  const later = await snapshot(next.vm);
  expect((await faultOf(next.vm.QueryChangedDiskAreas(later.reference, key, 0, base))).name).toBe(
    'FileFault',
  );
  expect((await next.vm.QueryChangedDiskAreas(later.reference, key, 0, changeId)).changedArea).toEqual([]);
});
