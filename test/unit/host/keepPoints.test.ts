import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { keepNewest, MOST_AT_ONCE, pointsInUse } from '../../../lib/host/keepPoints.js';
import type { VmRecord } from '../../../lib/host/vmRecord.js';
import { createVm } from '../../../lib/testing/createVm.js';

const KIB64 = 65_536;

test('the newest points of each disk stay, and answer as before; one that cannot be forgotten waits, and is told', async () => {
  const machine = await createVm({ disks: { vda: { sizeBytes: 1 << 20 }, vdb: { sizeBytes: 1 << 20 } } });
  await using vm = await machine.connect();
  await vm.enable();
  for (let night = 1; night <= 5; night += 1) {
    machine.disk('vda').fill(night * KIB64, KIB64, night);
    await (await vm.begin()).commit();
  }
  const pitsOf = async (name: string): Promise<string[]> => {
    await using disk = await vm.openDisk(name);
    return (await disk.pits()).pits.map(({ pit }) => pit);
  };
  const all = await pitsOf('vda');
  expect(all).toHaveLength(6);
  await keepNewest(vm, ['vda'], undefined);
  expect(await pitsOf('vda')).toEqual(all);
  const refused = vi.spyOn(vm, 'forget').mockRejectedValueOnce(new Error('not now'));
  const warned = once(process, 'warning');
  await keepNewest(vm, ['vda'], 2);
  expect(await warned).toMatchObject([{ code: 'QEMU_CBT_KEEP_POINTS' }]);
  refused.mockRestore();
  await keepNewest(vm, ['vda'], 3);
  expect(await pitsOf('vda')).toEqual(all.slice(-3));
  expect(await pitsOf('vdb')).toEqual(all);
  await using disk = await vm.openDisk('vda');
  const changed: object[] = [];
  for await (const range of await disk.changes({ from: all[3]! })) changed.push(range);
  expect(changed).toEqual([{ offset: 4 * KIB64, length: 2 * KIB64 }]);
});

test('points of snapshots that can still be asked for stay, and so many at most go at one time', async () => {
  const machine = await createVm({ disks: { vda: { sizeBytes: 1 << 20 } } });
  await using vm = await machine.connect();
  await vm.enable();
  for (let night = 1; night < 2 + MOST_AT_ONCE + 3; night += 1) await (await vm.begin()).commit();
  const pits = async (): Promise<string[]> => {
    await using disk = await vm.openDisk('vda');
    return (await disk.pits()).pits.map(({ pit }) => pit);
  };
  const all = await pits();
  const [snapshot, pending] = [all[0]!, all[2]!];
  const spare = async (): Promise<string[]> =>
    pointsInUse({
      snapshots: [{ session: snapshot }],
      pending: [{ session: pending }],
    } as unknown as VmRecord);
  await keepNewest(vm, ['vda'], 2, { spare });
  expect(await pits()).toEqual([snapshot, pending, ...all.slice(-3)]);
  await keepNewest(vm, ['vda'], 2, { spare });
  expect(await pits()).toEqual([snapshot, pending, ...all.slice(-2)]);
});
