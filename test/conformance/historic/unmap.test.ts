/** UNMAP reported as change: blocks that the guest gave back bloated incrementals.
 * Here: they are changed and not allocated, so the recipe "changed and allocated: copy; changed only: zeros" writes zeros. */
import { expect, test } from 'vitest';
import { enable, KIB64, MIB, pairs, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('a range that the guest discards', async () => {
  const { vm, daemon, key } = await startVm({ discard: true });
  await daemon.guestIo('d', 'write 0 1M');
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', 'discard 0 512k', 'write 2M 64k');
  const { reference } = await snapshot(vm);
  const changed = pairs((await vm.QueryChangedDiskAreas(reference, key, 0, base)).changedArea);
  expect(changed).toEqual([
    [0, MIB / 2],
    [2 * MIB, KIB64],
  ]);
  expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, '*')).changedArea)).toEqual([
    [MIB / 2, MIB / 2],
    [2 * MIB, KIB64],
  ]);
});
