import { describe, expect, test } from 'vitest';
import { thisMachine } from '../../../lib/linux/machine.js';
import { enable, snapshot, startVm } from '../vsphere/support.js';
import { ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Cleanup', () => {
  test('files of this machine leave nothing to clean; both outputs may be NULL', async () => {
    const [cleaned, remaining] = [ref<number>(), ref<number>()];
    expect(await vix.VixDiskLib_Cleanup(null, cleaned, remaining)).toBe(vix.VIX_OK);
    expect([cleaned.value, remaining.value]).toEqual([0, 0]);
    expect(await vix.VixDiskLib_Cleanup({}, null, null)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Cleanup({ vmxSpec: 'moref=vm-7' }, null, null)).toBe(vix.VIX_E_VM_NOT_FOUND);
  });

  test('ends what a process that died held and what it had only begun, and leaves the living alone', async () => {
    const { vm, service } = await startVm();
    vix.configureVixDiskLib({ service });
    await enable(vm);
    const { taken } = await snapshot(vm);
    // The number of a process that runs: it holds nothing.
    const dead = { ...(await thisMachine()), pid: process.pid };
    await vm.context.records.update((record) => {
      record.snapshots = [];
      record.pending.push({ session: taken.session, owner: dead });
    });
    await (await vm.context.holders()).update((record) => {
      record.holder = { identity: 'gone', owner: dead, since: '2026-11-27T08:00:00.000Z' };
    });
    const [cleaned, remaining] = [ref<number>(), ref<number>()];
    const params = { vmxSpec: 'web' };
    expect(await vix.VixDiskLib_Cleanup(params, cleaned, remaining)).toBe(vix.VIX_OK);
    expect([cleaned.value, remaining.value]).toEqual([2, 0]);
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'mine')).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Cleanup(params, cleaned, remaining)).toBe(vix.VIX_OK);
    expect([cleaned.value, remaining.value]).toEqual([0, 0]);
    expect((await (await vm.context.holders()).read()).holder?.identity).toBe('mine');
    expect(await vix.VixDiskLib_EndAccess(params, 'mine')).toBe(vix.VIX_OK);
    await snapshot(vm);
  });
});
