/** A VM that is off: the same objects and calls over its images, and the way from off to on and back. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connect, type VirtualMachine } from '../../../lib/facade/vsphere/index.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { sequenceOf } from '../../helpers/states.js';
import { READ_ONLY, ref, useLibrary, vix } from '../vixdisklib/support.js';
import { disks, faultOf, KIB64, MIB, pairs, snapshot, startOn, startVm, type TestVm } from './support.js';

useLibrary();

async function offVm(): Promise<{
  vm: VirtualMachine;
  find(): Promise<VirtualMachine>;
  file: string;
  key: number;
  running: TestVm;
}> {
  const running = await startVm();
  await running.daemon[Symbol.asyncDispose]();
  const file = join(running.folder, 'd.qcow2');
  const service = connect({
    stateFolder: join(running.folder, 'state'),
    vms: [{ name: 'web', qmpSocket: join(running.folder, 'q'), images: { d: file } }],
  });
  vix.configureVixDiskLib({ service });
  const find = async () => (await service.findVm('web'))!;
  return { vm: await find(), find, file, key: running.key, running };
}

const write = (file: string, ...commands: string[]) => qemuIo(['-f', 'qcow2', file], ...commands);

async function openVm(snapshotRef: string | null) {
  const connection = ref<vix.VixDiskLibConnection>();
  const code = await vix.VixDiskLib_ConnectEx({ vmxSpec: 'web' }, false, snapshotRef, null, connection);
  if (code !== vix.VIX_OK) return { code, end: async () => undefined };
  const handle = ref<vix.VixDiskLibHandle>();
  const opened = await vix.VixDiskLib_Open(
    connection.value!,
    'd',
    snapshotRef === null ? 0 : READ_ONLY,
    handle,
  );
  const end = () => vix.VixDiskLib_Disconnect(connection.value!);
  return { code: opened, handle: handle.value!, end };
}

describe('a VM that is off', () => {
  test('has its configuration, and tracking is switched on its images', async () => {
    const { vm, find, key, file } = await offVm();
    expect(vm.runtime.powerState).toBe('poweredOff');
    expect(disks(vm)[0]).toMatchObject({ key, capacityInBytes: 64 * MIB });
    expect(vm.config.changeTrackingEnabled).toBe(false);
    const off = await faultOf(vm.CreateSnapshot_Task('x', '', false, false).wait());
    expect(off).toMatchObject({ name: 'NotSupported', message: expect.stringContaining('not tracked') });
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    expect(sequenceOf(disks(await find())[0]!.backing.changeId)).toBe(1);
    await write(file, `write ${5 * KIB64} 512`);
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const { changeId } = disks(vm)[0]!.backing;
    const answer = await vm.QueryChangedDiskAreas(null, key, 0, changeId!);
    expect(pairs(answer.changedArea)).toEqual([[5 * KIB64, KIB64]]);
    expect(answer).toMatchObject({ startOffset: 0, length: 64 * MIB });
    expect(pairs((await vm.QueryChangedDiskAreas(undefined, key, 0, '*')).changedArea)).not.toEqual([]);
    expect(await faultOf(vm.QueryChangedDiskAreas(null, 9, 0, '*'))).toMatchObject({
      invalidProperty: 'deviceKey',
    });
    expect(await faultOf(vm.QueryChangedDiskAreas(null, key, 64 * MIB, '*'))).toMatchObject({
      invalidProperty: 'startOffset',
    });
    await vm.ReconfigVM_Task({ changeTrackingEnabled: false }).wait();
    expect((await faultOf(vm.QueryChangedDiskAreas(null, key, 0, changeId!))).name).toBe('FileFault');
  });

  test('a snapshot is readable while nothing was written, and its changes are known for ever', async () => {
    const { vm, key, file } = await offVm();
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    await write(file, 'write -P 7 0 64k');
    const before = disks(vm)[0]!.backing.changeId!;
    const { reference, taken, changeId } = await snapshot(vm);
    expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, before)).changedArea)).toEqual([
      [0, KIB64],
    ]);
    expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, '*')).changedArea)).toEqual([[0, KIB64]]);
    const open = await openVm(reference.value);
    expect(open.code).toBe(vix.VIX_OK);
    const buffer = Buffer.alloc(KIB64);
    expect(await vix.VixDiskLib_Read(open.handle!, 0, 128, buffer)).toBe(vix.VIX_OK);
    expect(buffer.every((byte) => byte === 7)).toBe(true);
    expect(await vix.VixDiskLib_Write(open.handle!, 0, 1, buffer)).toBe(vix.VIX_E_FILE_READ_ONLY);
    // While it is read nobody writes.
    await expect(write(file, 'write -P 8 0 64k')).rejects.toThrow();
    await open.end();
    await write(file, 'write -P 8 0 64k');
    expect((await openVm(reference.value)).code).toBe(vix.VIX_E_SNAPSHOT_NOTFOUND);
    expect((await faultOf(vm.QueryChangedDiskAreas(reference, key, 0, '*'))).name).toBe('FileFault');
    expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, before)).changedArea)).toEqual([
      [0, KIB64],
    ]);
    expect(pairs((await vm.QueryChangedDiskAreas(null, key, 0, changeId)).changedArea)).toEqual([[0, KIB64]]);
    await taken.RemoveSnapshot_Task(false).wait();
    expect(vm.snapshot).toBeUndefined();
    expect(pairs((await vm.QueryChangedDiskAreas(null, key, 0, changeId)).changedArea)).toEqual([[0, KIB64]]);
  });

  test('its disks are written without a snapshot, and the writes are tracked', async () => {
    const { vm, key } = await offVm();
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const { changeId } = disks(vm)[0]!.backing;
    const { code, handle, end } = await openVm(null);
    expect(code).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Write(handle!, 256, 1, Buffer.alloc(512, 3))).toBe(vix.VIX_OK);
    // It is in use: neither a snapshot nor an answer, and never a short one.
    expect((await faultOf(vm.QueryChangedDiskAreas(null, key, 0, changeId!))).name).toBe('InvalidState');
    await faultOf(vm.CreateSnapshot_Task('x', '', false, false).wait());
    await end();
    expect(pairs((await vm.QueryChangedDiskAreas(null, key, 0, changeId!)).changedArea)).toEqual([
      [2 * KIB64, KIB64],
    ]);
  });

  test('points in time go on from off to on', async () => {
    const { vm, key, running } = await offVm();
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const { changeId } = await snapshot(vm, 'while off');
    const { vm: started, daemon } = await startOn(running.folder);
    expect(started.snapshot?.rootSnapshotList[0]?.name).toBe('while off');
    await started.RemoveAllSnapshots_Task().wait();
    await daemon.guestIo('d', `write ${9 * KIB64} 512`);
    const { reference } = await snapshot(started);
    expect(pairs((await started.QueryChangedDiskAreas(reference, key, 0, changeId)).changedArea)).toEqual([
      [9 * KIB64, KIB64],
    ]);
    // A QEMU that runs elsewhere than the configuration says is seen by its locks.
    expect((await faultOf(vm.QueryChangedDiskAreas(null, key, 0, changeId))).name).toBe('InvalidState');
    expect((await faultOf(vm.RemoveAllSnapshots_Task().wait())).name).toBe('InvalidState');
    expect(await faultOf(started.QueryChangedDiskAreas(null, key, 0, changeId))).toMatchObject({
      name: 'FileFault',
    });
    await started.RemoveAllSnapshots_Task().wait();
  });
});

describe('the files of a VM', () => {
  test('layers below a disk, each file once, sizes as they are; per-disk options', async () => {
    const { vm, folder, daemon } = await startVm();
    expect(vm.layoutEx.file).toMatchObject([
      { key: 0, name: `[local] ${join(folder, 'd.qcow2')}`, accessible: true },
    ]);
    expect(vm.layoutEx.file[0]!.size).toBeGreaterThan(0);
    expect(disks(vm)[0]!.backing.parent).toBeUndefined();
    await daemon[Symbol.asyncDispose]();
    const base = join(folder, 'd.qcow2');
    const top = join(folder, 'top.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
    const service = connect({
      stateFolder: join(folder, 'state'),
      vms: [{ name: 'over', qmpSocket: join(folder, 'none'), images: { top } }],
    });
    const over = await service.content.rootFolder.childEntity[0]!.vmFolder.childEntity[0]!;
    await over.refresh();
    const [device] = disks(over);
    expect(device!.backing.parent).toMatchObject({ fileName: `[local] ${base}` });
    expect(device).toMatchObject({ controllerKey: 1000, unitNumber: 0 });
    expect(over.layoutEx.disk).toEqual([{ key: device!.key, chain: [{ fileKey: [0] }, { fileKey: [1] }] }]);
    expect(over.layoutEx.file.map(({ name }) => name)).toEqual([`[local] ${base}`, `[local] ${top}`]);
    expect(over.config.extraConfig).toContainEqual({ key: 'scsi0:0.ctkEnabled', value: 'false' });
  });
});
