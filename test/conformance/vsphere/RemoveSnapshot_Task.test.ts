import { describe, expect, test } from 'vitest';
import { enable, faultOf, KIB64, MIB, pairs, pointInTime, snapshot, startVm } from './support.js';

describe('RemoveSnapshot_Task', () => {
  test('the changeId of a removed snapshot still answers, and so does every older one', async () => {
    const { vm, daemon, key } = await startVm();
    await enable(vm);
    const first = await pointInTime(vm);
    await daemon.guestIo('d', 'write 0 64k');
    const second = await pointInTime(vm);
    await daemon.guestIo('d', 'write 1M 64k');
    const { reference } = await snapshot(vm);
    const ask = async (id: string) =>
      pairs((await vm.QueryChangedDiskAreas(reference, key, 0, id)).changedArea);
    expect(await ask(second)).toEqual([[MIB, KIB64]]);
    expect(await ask(first)).toEqual([
      [0, KIB64],
      [MIB, KIB64],
    ]);
  });
  test('a snapshot that is gone is ManagedObjectNotFound', async () => {
    const { vm } = await startVm();
    const { taken, reference } = await snapshot(vm);
    await taken.RemoveSnapshot_Task(false, true).wait();
    expect(await faultOf(taken.RemoveSnapshot_Task(false).wait())).toMatchObject({
      name: 'ManagedObjectNotFound',
      obj: reference.value,
    });
    expect((await faultOf(vm.findSnapshot(reference))).name).toBe('ManagedObjectNotFound');
  });
});
