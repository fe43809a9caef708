/** docs/differences.md, V3. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectVm } from '../../../lib/host/vm.js';
import { enable, faultOf, KIB64, MIB, pairs, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('V3: the number of a changeId ascends in large steps, names one instant, and needs no record of ours', async () => {
  const { vm, daemon, key, folder } = await startVm();
  await enable(vm);
  const taken = [await pointInTime(vm), await pointInTime(vm)];
  await using connected = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
  // Given out by others: the disk itself tells whose instant it is.
  const session = await connected.begin({ scratch: { folder: vm.entry.scratchFolder } });
  const { disks } = await session.commit();
  const other = disks[0]!.changeId!;
  await daemon.guestIo('d', 'write 1M 64k');
  await rm(join(folder, 'state'), { recursive: true });
  const { reference, changeId } = await snapshot(vm);
  const numbers = [...taken, other, changeId].map((id) => Number(id.split('/')[1]));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  for (const number of numbers) {
    expect(Number.isSafeInteger(number)).toBe(true);
    expect(number).toBeGreaterThanOrEqual(2 ** 32);
  }
  for (const id of [...taken, other])
    expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, id)).changedArea)).toEqual([
      [MIB, KIB64],
    ]);
  // The same place of the same history, and another instant; and a number such as a host of VMware gives.
  const [epoch, number] = other.split('/');
  for (const wrong of [`${epoch}/${BigInt(number!) ^ 1n}`, `${epoch}/3`]) {
    const fault = await faultOf(vm.QueryChangedDiskAreas(reference, key, 0, wrong));
    expect(fault).toMatchObject({ name: 'FileFault', faultMessage: [{ key: 'qemu-cbt.UNKNOWN_PIT' }] });
  }
});
