import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLease, writeLease } from '../../../lib/backend/qemu/own/lease.js';
import type { StorageDaemon } from '../../helpers/storageDaemon.js';
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
  test('as many points stay as the owner of the VM says; an older changeId wants a full backup', async () => {
    const { vm, key } = await startVm({ keepPoints: 2 });
    await enable(vm);
    const ids = [await pointInTime(vm), await pointInTime(vm), await pointInTime(vm)];
    const { reference } = await snapshot(vm);
    const ask = (id: string) => vm.QueryChangedDiskAreas(reference, key, 0, id);
    expect((await faultOf(ask(ids[0]!))).name).toBe('FileFault');
    for (const id of ids.slice(1)) expect((await ask(id)).changedArea ?? []).toEqual([]);
  });
  test('a snapshot that is gone is ManagedObjectNotFound', async () => {
    const { vm } = await startVm();
    const { taken, reference } = await snapshot(vm);
    await taken.RemoveSnapshot_Task(false, true).wait();
    expect(await faultOf(taken.RemoveSnapshot_Task(false).wait())).toMatchObject({
      name: 'ManagedObjectNotFound',
      obj: reference,
    });
    expect((await faultOf(vm.findSnapshot(reference))).name).toBe('ManagedObjectNotFound');
  });

  /** Names of ours in QEMU. */
  const left = async (daemon: StorageDaemon): Promise<string[]> => {
    const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
      'node-name': string;
    }[];
    return nodes.map((node) => node['node-name']).filter((name) => name.startsWith('cbt'));
  };

  test.each<[string, (vm: Awaited<ReturnType<typeof startVm>>) => Promise<unknown>]>([
    ['its exports were taken away', ({ daemon }) => daemon.process.control.execute('nbd-server-stop')],
    [
      'somebody left it half-way rolled back',
      async ({ folder }) => {
        const [name = ''] = (await readdir(folder)).filter((entry) => /^cbt-\w{6}$/.test(entry));
        const at = join(folder, name);
        const lease = await readLease(at);
        if (lease !== null) await writeLease(at, { ...lease, ending: 'rollback' });
      },
    ],
    [
      'its folder is gone',
      async ({ folder }) => {
        const [name = ''] = (await readdir(folder)).filter((entry) => /^cbt-\w{6}$/.test(entry));
        await rm(join(folder, name), { recursive: true });
      },
    ],
  ])('%s: it is removed when QEMU holds nothing of it', async (_, spoil) => {
    const started = await startVm();
    const { vm, daemon } = started;
    await enable(vm);
    const { taken, reference } = await snapshot(vm);
    expect(await left(daemon)).not.toEqual([]);
    await spoil(started);
    await taken.RemoveSnapshot_Task(false).wait();
    expect(await left(daemon)).toEqual([]);
    expect((await faultOf(vm.findSnapshot(reference))).name).toBe('ManagedObjectNotFound');
  });

  test('one whose session cannot be ended stays, and is removed when it can', async () => {
    const { vm, daemon } = await startVm();
    await enable(vm);
    const { taken, reference } = await snapshot(vm);
    const [scratch = ''] = (await left(daemon)).filter((name) => name.startsWith('cbts'));
    const { control } = daemon.process;
    // Somebody else reads from its scratch.
    await control.execute('blockdev-add', { driver: 'raw', 'node-name': 'theirs', file: scratch });
    expect(await faultOf(taken.RemoveSnapshot_Task(false).wait())).toMatchObject({ name: 'SnapshotFault' });
    expect((await vm.findSnapshot(reference)).record.session).toBeDefined();
    await control.execute('blockdev-del', { 'node-name': 'theirs' });
    await taken.RemoveSnapshot_Task(false).wait();
    expect(await left(daemon)).toEqual([]);
    expect((await faultOf(vm.findSnapshot(reference))).name).toBe('ManagedObjectNotFound');
  });
});
