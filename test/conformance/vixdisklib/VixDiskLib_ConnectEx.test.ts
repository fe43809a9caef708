import { describe, expect, test } from 'vitest';
import { snapshot, startVm } from '../vsphere/support.js';
import { READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_ConnectEx', () => {
  test('reads the content of a snapshot, while the guest writes on', async () => {
    const { vm, daemon, service, key } = await startVm();
    await daemon.guestIo('d', 'write -P 1 0 64k');
    const { reference, taken } = await snapshot(vm);
    await daemon.guestIo('d', 'write -P 2 0 64k');
    vix.configureVixDiskLib({ service });
    const connection = ref<vix.VixDiskLibConnection>();
    const params = { vmxSpec: `moref=${vm.moref.value}`, thumbPrint: null };
    expect(
      await vix.VixDiskLib_ConnectEx(params, true, reference.value, 'file:san:hotadd:nbd', connection),
    ).toBe(vix.VIX_OK);
    const handle = ref<vix.VixDiskLibHandle>();
    const { fileName } = vm.config.hardware.device.find((device) => device.key === key)!.backing;
    expect(await vix.VixDiskLib_Open(connection.value!, fileName, READ_ONLY, handle)).toBe(vix.VIX_OK);
    expect(vix.VixDiskLib_GetTransportMode(handle.value!)).toBe('nbd');
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
    expect(await ask('', null, 'san:hotadd')).toBe(vix.VIX_E_INVALID_ARG);
  });
});
