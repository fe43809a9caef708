import { describe, expect, test } from 'vitest';
import { disks, snapshot, startVm } from '../vsphere/support.js';
import { makeImage, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_ConnectEx', () => {
  test('reads the content of a snapshot, while the guest writes on', async () => {
    const { vm, daemon, service, key } = await startVm();
    await daemon.guestIo('d', 'write -P 1 0 64k');
    const { reference, taken } = await snapshot(vm);
    await daemon.guestIo('d', 'write -P 2 0 64k');
    vix.configureVixDiskLib({ service });
    const connection = ref<vix.VixDiskLibConnection>();
    const params = { vmxSpec: `moref=${vm.value}`, thumbPrint: null };
    expect(
      await vix.VixDiskLib_ConnectEx(params, true, reference.value, 'file:san:hotadd:nbd', connection),
    ).toBe(vix.VIX_OK);
    const handle = ref<vix.VixDiskLibHandle>();
    const { fileName } = disks(vm).find((device) => device.key === key)!.backing;
    expect(await vix.VixDiskLib_Open(connection.value!, fileName, READ_ONLY, handle)).toBe(vix.VIX_OK);
    // As the service shows it to programs that ask it over the wire: the same disk, and no file of this machine.
    const stored = ref<vix.VixDiskLibHandle>();
    expect(await vix.VixDiskLib_Open(connection.value!, '[local] web/d.vmdk', READ_ONLY, stored)).toBe(
      vix.VIX_OK,
    );
    expect(await vix.VixDiskLib_Read(stored.value!, 0, 128, Buffer.alloc(65536))).toBe(vix.VIX_OK);
    for (const other of ['[local] web/other.vmdk', '[local] web/d-flat.vmdk', '[store] web/d.vmdk'])
      expect(await vix.VixDiskLib_Open(connection.value!, other, READ_ONLY, ref())).toBe(
        vix.VIX_E_FILE_NOT_FOUND,
      );
    expect(vix.VixDiskLib_GetTransportMode(handle.value!)).toBe('nbd');
    const info = ref<vix.VixDiskLibInfo>();
    expect(vix.VixDiskLib_GetInfo(handle.value!, info)).toBe(vix.VIX_OK);
    expect(info.value!.uuid).toBe(disks(vm).find((device) => device.key === key)!.backing.uuid);
    const buffer = Buffer.alloc(65536);
    expect(await vix.VixDiskLib_Read(handle.value!, 0, 128, buffer)).toBe(vix.VIX_OK);
    expect(buffer.every((byte) => byte === 1)).toBe(true);
    expect(await vix.VixDiskLib_Write(handle.value!, 0, 1, buffer)).toBe(vix.VIX_E_FILE_READ_ONLY);
    const list = ref<vix.VixDiskLibBlockList>();
    expect(await vix.VixDiskLib_QueryAllocatedBlocks(handle.value!, 0, 131072, 128, list)).toBe(vix.VIX_OK);
    expect(list.value).toEqual({ numBlocks: 1, blocks: [{ offset: 0, length: 128 }] });
    // A session that breaks while it is read is an error, not other bytes.
    await daemon.process.control.execute('job-cancel', {
      id: `cbtj-${taken.session.replaceAll('-', '').slice(0, 16)}-0`,
    });
    expect(await vix.VixDiskLib_Read(handle.value!, 0, 128, buffer)).not.toBe(vix.VIX_OK);
    await vix.VixDiskLib_Disconnect(connection.value!);
  });
  test('what is not there has its code', async () => {
    const { service } = await startVm();
    const ask = (vmxSpec: string, snapshotRef: string | null, modes: string | null = null) =>
      vix.VixDiskLib_ConnectEx({ vmxSpec }, true, snapshotRef, modes, ref());
    expect(await ask('moref=vm-1', 'snapshot-1')).toBe(vix.VIX_E_VM_NOT_FOUND);
    vix.configureVixDiskLib({ service });
    expect(await ask('moref=vm-9', 'snapshot-1')).toBe(vix.VIX_E_VM_NOT_FOUND);
    expect(await ask('moref=vm-1', 'snapshot-1')).toBe(vix.VIX_E_SNAPSHOT_NOTFOUND);
    // The configuration's path, as a host has it: the VM of that name, and of no other kind of name.
    const vmx = (path: string) => ask(`${path}?dcPath=ha-datacenter&dsName=store`, 'snapshot-1');
    expect(await vmx('web_1/web.vmx')).toBe(vix.VIX_E_SNAPSHOT_NOTFOUND);
    expect(await vmx('web_1/webs.vmx')).toBe(vix.VIX_E_VM_NOT_FOUND);
    expect(await vmx('web_1/vm-1.vmx')).toBe(vix.VIX_E_VM_NOT_FOUND);
    const fcd: vix.VixDiskLibConnectParams = {
      specType: vix.VIXDISKLIB_SPEC_VSTORAGE_OBJECT,
      spec: { vStorageObjSpec: { id: 'fcd' } },
    };
    expect(await vix.VixDiskLib_ConnectEx(fcd, true, null, null, ref())).toBe(vix.VIX_E_NOT_SUPPORTED);
    expect(await vix.VixDiskLib_PrepareForAccess(fcd, 'me')).toBe(vix.VIX_E_NOT_SUPPORTED);
  });

  test('modes that reach no disk connect, and open none', async () => {
    const connection = ref<vix.VixDiskLibConnection>();
    expect(await vix.VixDiskLib_ConnectEx(null, true, null, 'san:hotadd', connection)).toBe(vix.VIX_OK);
    const file = await makeImage();
    expect(await vix.VixDiskLib_Open(connection.value, file, READ_ONLY, ref())).toBe(vix.VIX_E_NOT_SUPPORTED);
    await vix.VixDiskLib_Disconnect(connection.value);
    expect(await vix.VixDiskLib_ConnectEx(null, true, null, 'san:nbd', connection)).toBe(vix.VIX_OK);
    const handle = ref<vix.VixDiskLibHandle>();
    expect(await vix.VixDiskLib_Open(connection.value, file, READ_ONLY, handle)).toBe(vix.VIX_OK);
    await vix.VixDiskLib_Disconnect(connection.value);
  });
});
