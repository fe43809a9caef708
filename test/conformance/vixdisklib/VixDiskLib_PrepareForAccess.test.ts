import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { VirtualMachine } from '../../../lib/facade/vsphere/index.js';
import { thisMachine } from '../../../lib/linux/machine.js';
import { faultOf, snapshot, startVm } from '../vsphere/support.js';
import { useLibrary, vix } from './support.js';

useLibrary();

/** Another process that has the VM, as one of ours has it, until it is ended. */
async function otherProcess(vm: VirtualMachine, how: 'holds' | 'changes') {
  const argv = [
    '-n',
    how === 'holds' ? '-x' : '-s',
    `${(await vm.context.holders()).file}.hold`,
    '-c',
    'echo; exec sleep 600',
  ];
  const child = spawn('flock', argv, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const { stdout, pid = 0 } = child;
  await once(stdout as Readable, 'data');
  const end = async () => {
    process.kill(-pid, 'SIGKILL');
    await once(child, 'close');
  };
  return { owner: { ...(await thisMachine()), pid }, end };
}

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

  test('holds off other processes, and is held off by their changes; of a process that died nothing is held', async () => {
    const { vm, service, again } = await startVm();
    vix.configureVixDiskLib({ service });
    const params = { vmxSpec: 'web' };
    const other = await otherProcess(vm, 'holds');
    await (await vm.context.holders()).update((record) => {
      record.holder = { identity: 'theirs', owner: other.owner, since: '2026-11-27T08:00:00.000Z' };
    });
    const elsewhere = await again();
    for (const change of [
      elsewhere.CreateSnapshot_Task('x', '', false, false),
      elsewhere.RemoveAllSnapshots_Task(),
      elsewhere.ReconfigVM_Task({ changeTrackingEnabled: true }),
    ])
      expect(await faultOf(change.wait())).toMatchObject({
        name: 'TaskInProgress',
        message: expect.stringContaining(`theirs (process ${other.owner.pid}`),
      });
    for (const identity of ['mine', 'theirs']) {
      expect(await vix.VixDiskLib_PrepareForAccess(params, identity)).toBe(vix.VIX_E_OBJECT_IS_BUSY);
      expect(await vix.VixDiskLib_EndAccess(params, identity)).toBe(vix.VIX_E_NOT_FOUND);
    }
    await other.end();
    const changer = await otherProcess(vm, 'changes');
    await (await vm.context.holders()).update((record) => {
      record.holder = null;
      record.changes.push({ task: 'CreateSnapshot_Task', owner: changer.owner });
    });
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'mine')).toBe(vix.VIX_E_OBJECT_IS_BUSY);
    await (await vm.context.holders()).update((record) => {
      record.holder = { identity: 'theirs', owner: other.owner, since: '2026-11-27T08:00:00.000Z' };
    });
    await changer.end();
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'mine')).toBe(vix.VIX_OK);
    expect((await (await vm.context.holders()).read()).changes).toEqual([]);
    expect(await vix.VixDiskLib_EndAccess(params, 'mine')).toBe(vix.VIX_OK);
    await elsewhere.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    expect(await (await vm.context.holders()).read()).toMatchObject({ holder: null, changes: [] });
  });

  test('a change that is under way is not overtaken', async () => {
    const { vm, service } = await startVm();
    vix.configureVixDiskLib({ service });
    const params = { vmxSpec: 'web' };
    const creating = vm.CreateSnapshot_Task('x', '', false, false);
    const snapshots = async (): Promise<number> => (await vm.context.records.read()).snapshots.length;
    let held = await vix.VixDiskLib_PrepareForAccess(params, 'mine');
    expect([vix.VIX_OK, vix.VIX_E_OBJECT_IS_BUSY]).toContain(held);
    const before = held === vix.VIX_OK ? await snapshots() : 1;
    await creating.wait().catch(() => undefined);
    // It came first, and the change was refused; or it waited for the change's end, or was refused itself. Nothing changed once it held.
    expect(await snapshots()).toBe(before);
    expect(creating.info.state).toBe(before === 0 ? 'error' : 'success');
    held = await vix.VixDiskLib_PrepareForAccess(params, 'mine');
    expect(held).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_EndAccess(params, 'mine')).toBe(vix.VIX_OK);
    await vm.RemoveAllSnapshots_Task().wait();
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
