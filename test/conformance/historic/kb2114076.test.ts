/** KB 2114076: ESXi 6.0 had no memory for the bitmaps of large disks.
 * Here: a disk of 64 TiB is tracked and asked, in memory that does not follow its size. */
import { expect, test } from 'vitest';
import { enable, MIB, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('a disk of 64 TiB', async () => {
  const TIB = 2 ** 40;
  const { vm, daemon, key } = await startVm({ sizeBytes: 64 * TIB });
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', `write ${63 * TIB} 64k`);
  const before = process.memoryUsage.rss();
  const { reference } = await snapshot(vm);
  const { changedArea, length } = await vm.QueryChangedDiskAreas(reference, key, 0, base);
  expect({ changedArea, length }).toEqual({
    changedArea: [{ start: 63 * TIB, length: 65536 }],
    length: 64 * TIB,
  });
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 * MIB);
});
