/** forklift, warm migration: the retry limit at 28 snapshots that stayed.
 * Here: a point in time needs no snapshot that stays; forty of them answer. */
import { expect, test } from 'vitest';
import { enable, KIB64, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('forty points in time', async () => {
  const { vm, daemon, key } = await startVm();
  await enable(vm);
  const first = await pointInTime(vm);
  for (let n = 0; n < 40; n += 1) {
    await daemon.guestIo('d', `write ${n * 2 * KIB64} 512`);
    await pointInTime(vm);
  }
  expect(vm.snapshot).toBeUndefined();
  const { reference } = await snapshot(vm);
  expect((await vm.QueryChangedDiskAreas(reference, key, 0, first)).changedArea).toHaveLength(40);
});
