/** Disks that changed places: a changeId, and a snapshot, are of one disk's history and of no other, whatever it is called. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, type VirtualMachine } from '../../../lib/facade/vsphere/index.js';
import { startQemuSystem } from '../../helpers/qemuSystem.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { READ_ONLY, ref, useLibrary, vix } from '../vixdisklib/support.js';
import { disks, enable, faultOf, KIB64, MIB, pairs } from './support.js';

useLibrary();

let folder: TemporaryFolder;
let daemon: StorageDaemon | null = null;
const file = (name: string): string => join(folder.path, `${name}.qcow2`);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['a', 'b']) {
    await qemuImg('create', '-q', '-f', 'qcow2', file(name), String(16 * MIB));
    await qemuIo(['-f', 'qcow2', file(name)], 'write 0 64k');
  }
});
afterEach(async () => {
  await daemon?.[Symbol.asyncDispose]();
  daemon = null;
  await folder.remove();
});

/** The VM, off, with these images. */
async function off(disk0: string, disk1: string): Promise<VirtualMachine> {
  const images = { disk0: file(disk0), disk1: file(disk1) };
  const service = connect({
    vms: [{ name: 'web', qmpSocket: join(folder.path, 'off.sock'), images }],
    stateFolder: join(folder.path, 'state'),
  });
  vix.configureVixDiskLib({ service });
  return (await service.findVm('web'))!;
}

/** The VM, on, with these images under the same names. */
async function on(disk0: string, disk1: string): Promise<VirtualMachine> {
  await daemon?.[Symbol.asyncDispose]();
  daemon = await StorageDaemon.start({
    disks: [
      { node: 'disk0', file: file(disk0) },
      { node: 'disk1', file: file(disk1) },
    ],
  });
  await daemon.exportWritable('disk0', 'disk1');
  const service = connect({
    vms: [
      {
        name: 'web',
        qmpSocket: daemon.process.file('qmp.sock'),
        nbdSocket: daemon.nbdPath,
        scratchFolder: folder.path,
        allowUnwatchedScratch: true,
      },
    ],
    stateFolder: join(folder.path, 'state'),
  });
  return (await service.findVm('web'))!;
}

async function take(vm: VirtualMachine) {
  const reference = await vm.CreateSnapshot_Task('s', '', false, false).wait();
  const taken = await vm.findSnapshot(reference);
  const [zero, one] = disks(taken);
  return {
    reference,
    remove: () => taken.RemoveSnapshot_Task(false).wait(),
    keys: [zero!.key, one!.key] as const,
    ids: [zero!.backing.changeId!, one!.backing.changeId!] as const,
  };
}

async function reasonOf(work: Promise<unknown>): Promise<string> {
  const fault = await faultOf(work);
  expect(fault.name).toBe('FileFault');
  return fault.faultMessage[0]!.key;
}

async function openDisk(snapshotRef: string, path: string): Promise<number> {
  const connection = ref<vix.VixDiskLibConnection>();
  const params = { vmxSpec: 'web' };
  expect(await vix.VixDiskLib_ConnectEx(params, true, snapshotRef, null, connection)).toBe(vix.VIX_OK);
  const code = await vix.VixDiskLib_Open(connection.value!, path, READ_ONLY, ref<vix.VixDiskLibHandle>());
  await vix.VixDiskLib_Disconnect(connection.value!);
  return code;
}

describe('a VM that is off', () => {
  test("another disk's changeId is a fault, and each disk's own is answered", async () => {
    const vm = await off('a', 'b');
    await enable(vm);
    const first = await take(vm);
    await first.remove();
    await qemuIo(['-f', 'qcow2', file('b')], 'write 1M 64k');
    const { reference, keys } = await take(vm);
    const ask = (key: number, id: string, of: typeof reference | null) =>
      vm.QueryChangedDiskAreas(of, key, 0, id);
    for (const of of [reference, null]) {
      expect(await reasonOf(ask(keys[0], first.ids[1], of))).toBe('qemu-cbt.OTHER_EPOCH');
      expect(await reasonOf(ask(keys[1], first.ids[0], of))).toBe('qemu-cbt.OTHER_EPOCH');
      expect(pairs((await ask(keys[0], first.ids[0], of)).changedArea)).toEqual([]);
      expect(pairs((await ask(keys[1], first.ids[1], of)).changedArea)).toEqual([[MIB, KIB64]]);
    }
  });

  test('images that changed places: old changeIds are faults, and a held snapshot serves nothing of the other disk', async () => {
    const before = await off('a', 'b');
    await enable(before);
    const first = await take(before);
    await first.remove();
    const held = await take(before);
    const vm = await off('b', 'a');
    const [zero] = held.keys;
    // All of these images have the snapshot's PIT, and none was written to since: only the history tells them apart.
    for (const id of [...first.ids, '*'])
      expect(await reasonOf(vm.QueryChangedDiskAreas(held.reference, zero, 0, id))).toBe(
        'qemu-cbt.OTHER_EPOCH',
      );
    expect(await openDisk(held.reference.value, 'disk0')).toBe(vix.VIX_E_SNAPSHOT_NOTFOUND);
    expect(await openDisk(held.reference.value, `[local] ${file('a')}`)).toBe(vix.VIX_E_SNAPSHOT_NOTFOUND);
    const next = await take(vm);
    expect(await reasonOf(vm.QueryChangedDiskAreas(next.reference, zero, 0, first.ids[0]))).toBe(
      'qemu-cbt.OTHER_EPOCH',
    );
    // What disk0 is now is the former disk1, whose own history goes on.
    expect(
      pairs((await vm.QueryChangedDiskAreas(next.reference, zero, 0, first.ids[1])).changedArea),
    ).toEqual([]);
    await next.remove();
    await held.remove();
    // Changed back, everything is as it was.
    const again = await off('a', 'b');
    const last = await take(again);
    expect(
      pairs((await again.QueryChangedDiskAreas(last.reference, zero, 0, first.ids[0])).changedArea),
    ).toEqual([]);
  });

  test('files that changed names are the same case; removing the snapshot of what they were loses nothing', async () => {
    const before = await off('a', 'b');
    await enable(before);
    const held = await take(before);
    await rename(file('a'), file('t'));
    await rename(file('b'), file('a'));
    await rename(file('t'), file('b'));
    const vm = await off('a', 'b');
    expect(await reasonOf(vm.QueryChangedDiskAreas(held.reference, held.keys[0], 0, held.ids[0]))).toBe(
      'qemu-cbt.OTHER_EPOCH',
    );
    expect(await openDisk(held.reference.value, 'disk0')).toBe(vix.VIX_E_SNAPSHOT_NOTFOUND);
    await held.remove();
    const now = await take(vm);
    for (const n of [0, 1] as const)
      expect(
        pairs((await vm.QueryChangedDiskAreas(now.reference, now.keys[n], 0, held.ids[1 - n]!)).changedArea),
      ).toEqual([]);
  });
});

describe('a VM that runs', () => {
  test('started anew with its images exchanged: the drives keep their names, and the changeIds do not fit any more', async () => {
    const vm = await on('a', 'b');
    await enable(vm);
    const first = await take(vm);
    const ask = (of: VirtualMachine, reference: typeof first.reference, n: 0 | 1, id: string) =>
      of.QueryChangedDiskAreas(reference, first.keys[n], 0, id);
    expect(await reasonOf(ask(vm, first.reference, 0, first.ids[1]))).toBe('qemu-cbt.OTHER_EPOCH');
    await first.remove();
    const held = await take(vm);
    await daemon!.process.control.execute('quit');
    await daemon!.process.ended;
    const exchanged = await on('b', 'a');
    expect(await reasonOf(ask(exchanged, held.reference, 0, first.ids[0]))).toBe('qemu-cbt.OTHER_EPOCH');
    await exchanged.RemoveAllSnapshots_Task().wait();
    const next = await take(exchanged);
    for (const n of [0, 1] as const) {
      expect(await reasonOf(ask(exchanged, next.reference, n, first.ids[n]))).toBe('qemu-cbt.OTHER_EPOCH');
      const own = await ask(exchanged, next.reference, n, first.ids[n === 0 ? 1 : 0]);
      expect(pairs(own.changedArea)).toEqual([]);
    }
    await next.remove();
  });
});

describe('a VM that has the name of another', () => {
  test('is not taken for it while there are snapshots of the other', async () => {
    const start = async (uuid: string, image: string) => {
      const vm = await startQemuSystem([
        ...['-M', 'q35', '-uuid', uuid],
        ...[
          '-blockdev',
          JSON.stringify({
            driver: 'qcow2',
            'node-name': 'n',
            file: { driver: 'file', filename: file(image) },
          }),
        ],
        ...['-device', 'virtio-blk-pci,drive=n,id=disk0'],
      ]);
      const entry = {
        name: 'web',
        qmpSocket: vm.file('qmp.sock'),
        scratchFolder: folder.path,
        allowUnwatchedScratch: true,
      };
      return { vm, service: connect({ vms: [entry], stateFolder: join(folder.path, 'state') }) };
    };
    const uuids = ['11111111-2222-4333-8444-555555555555', '11111111-2222-4333-8444-666666666666'] as const;
    const one = await start(uuids[0], 'a');
    await using _ = one.vm;
    const first = (await one.service.findVm('web'))!;
    await first.CreateSnapshot_Task('nightly', '', false, false).wait();
    const other = await start(uuids[1], 'b');
    await using __ = other.vm;
    const fault = await faultOf(other.service.findVm('web'));
    expect(fault.name).toBe('InvalidState');
    for (const told of [...uuids, 'nightly']) expect(fault.message).toContain(told);
    // The VM itself goes on, and once its snapshots are gone the name is free.
    await (await one.service.findVm('web'))!.RemoveAllSnapshots_Task().wait();
    expect((await other.service.findVm('web'))!.config.uuid).toBe(uuids[1]);
  });
});
