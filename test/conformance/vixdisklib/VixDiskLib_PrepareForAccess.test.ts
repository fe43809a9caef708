import { describe, expect, test } from 'vitest';
import { faultOf, snapshot, startVm } from '../vsphere/support.js';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_PrepareForAccess', () => {
  test('while a VM is held, no second snapshot is taken and none removed', async () => {
    const { vm, service } = await startVm();
    vix.configureVixDiskLib({ service });
    const params = { vmxSpec: 'moref=vm-1' };
    const { taken } = await snapshot(vm);
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'backup')).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'other')).toBe(vix.VIX_E_OBJECT_IS_BUSY);
    const fault = await faultOf(taken.RemoveSnapshot_Task(false).wait());
    expect(fault).toMatchObject({ name: 'TaskInProgress', message: expect.stringContaining('backup') });
    expect((await faultOf(vm.CreateSnapshot_Task('x', '', false, false).wait())).name).toBe('TaskInProgress');
    expect(await vix.VixDiskLib_EndAccess(params, 'other')).toBe(vix.VIX_E_NOT_FOUND);
    expect(await vix.VixDiskLib_EndAccess(params, 'backup')).toBe(vix.VIX_OK);
    await taken.RemoveSnapshot_Task(false).wait();
  });

  test('needs to know who, and which VM; files of this machine need no holding', async () => {
    expect(await vix.VixDiskLib_PrepareForAccess({ vmxSpec: 'moref=vm-7' }, 'a')).toBe(
      vix.VIX_E_VM_NOT_FOUND,
    );
    expect(await vix.VixDiskLib_PrepareForAccess(null, null)).toBe(vix.VIX_OK);
    const { service } = await startVm();
    vix.configureVixDiskLib({ service });
    expect(await vix.VixDiskLib_PrepareForAccess({ vmxSpec: 'web' }, '')).toBe(vix.VIX_E_INVALID_ARG);
  });
});
