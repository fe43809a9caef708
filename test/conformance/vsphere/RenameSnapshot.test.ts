import { describe, expect, test } from 'vitest';
import { faultOf, snapshot, startVm } from './support.js';

describe('RenameSnapshot', () => {
  test('renames and describes, each also alone, for every process; the rest stays', async () => {
    const { vm, again } = await startVm();
    const { taken } = await snapshot(vm, 'one');
    await taken.RenameSnapshot('two', 'the second');
    expect(vm.snapshot!.rootSnapshotList[0]).toMatchObject({ name: 'two', description: 'the second', id: 1 });
    await taken.RenameSnapshot(undefined, 'of two');
    await taken.RenameSnapshot('three');
    const [seen] = (await again()).snapshot!.rootSnapshotList;
    expect(seen).toMatchObject({ name: 'three', description: 'of two', id: 1 });
    expect(seen!.snapshot.session).toBe(taken.session);
    expect(await faultOf(taken.RenameSnapshot(''))).toMatchObject({ _type: 'InvalidName', name: '' });
    await taken.RemoveSnapshot_Task(false).wait();
    expect(await faultOf(taken.RenameSnapshot('gone'))).toMatchObject({ _type: 'ManagedObjectNotFound' });
  });
});
