/** KB 2090639: on ESX 4.x and 5.x the map of a disk was wrong once it had grown past 128 GB.
 * Here: a disk grows across 128 GiB, and every write on both sides is told, the growth with it. */
import { expect, test } from 'vitest';
import { enable, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('a disk that grows across 128 GiB', async () => {
  const GIB = 2 ** 30;
  const { vm, daemon, key } = await startVm({ sizeBytes: 100 * GIB });
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', `write ${90 * GIB} 64k`);
  await daemon.process.control.execute('block-export-del', { id: 'guest-d', mode: 'hard' });
  await daemon.process.control.execute('block_resize', { 'node-name': 'd', size: 200 * GIB });
  await daemon.process.control.execute('block-export-add', {
    type: 'nbd',
    id: 'guest-e',
    'node-name': 'd',
    name: 'e',
    writable: true,
  });
  await daemon.guestIo('e', `write ${150 * GIB} 64k`);
  const { reference } = await snapshot(vm);
  const { changedArea } = await vm.QueryChangedDiskAreas(reference, key, 0, base);
  const covers = (offset: number): boolean =>
    changedArea.some(({ start, length }) => start <= offset && offset < start + length);
  expect([90 * GIB, 100 * GIB, 150 * GIB, 200 * GIB - 1].map(covers)).toEqual([true, true, true, true]);
  expect(covers(10 * GIB)).toBe(false);
});
