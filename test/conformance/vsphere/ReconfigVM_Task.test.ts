import { describe, expect, test } from 'vitest';
import { disks, enable, faultOf, snapshot, startVm } from './support.js';

describe('ReconfigVM_Task', () => {
  test('switches tracking on and off, with the states of a task', async () => {
    const { vm } = await startVm();
    expect(vm.capability.changeTrackingSupported).toBe(true);
    expect(vm.config.changeTrackingEnabled).toBe(false);
    expect(disks(vm)[0]!.backing.changeId).toBeUndefined();
    const task = vm.ReconfigVM_Task({ changeTrackingEnabled: true });
    expect(task.info.descriptionId).toBe('VirtualMachine.reconfigure');
    expect(task.info.reason).toEqual({ _type: 'TaskReasonUser', userName: expect.any(String) });
    expect(task.info.eventChainId).toBeGreaterThan(0);
    expect(task.info).toMatchObject({
      state: 'queued',
      name: 'ReconfigVM_Task',
      entity: vm,
      entityName: 'web',
      task,
    });
    await task.wait();
    expect(task.info).toMatchObject({ state: 'success' });
    expect(vm.config.changeTrackingEnabled).toBe(true);
    expect(vm.config.extraConfig).toEqual([
      { key: 'ctkEnabled', value: 'true' },
      { key: 'scsi0:0.ctkEnabled', value: 'true' },
    ]);
    expect(disks(vm)[0]!.backing.changeId).toMatch(/^([0-9a-f]{2}[ -]){15}[0-9a-f]{2}\/\d{10,16}$/);
    await vm.ReconfigVM_Task({ extraConfig: [{ key: 'ctkEnabled', value: 'FALSE' }] }).wait();
    expect(vm.config.changeTrackingEnabled).toBe(false);
  });
  test('twice on changes nothing; off and on again is another history', async () => {
    const { vm } = await startVm();
    await enable(vm);
    const id = disks(vm)[0]!.backing.changeId!;
    await enable(vm);
    expect(disks(vm)[0]!.backing.changeId).toBe(id);
    await vm.ReconfigVM_Task({ changeTrackingEnabled: false }).wait();
    await enable(vm);
    expect(disks(vm)[0]!.backing.changeId!.split('/')[0]).not.toBe(id.split('/')[0]);
  });
  test('is refused while there are snapshots, and for what it cannot do', async () => {
    const { vm } = await startVm();
    const { taken } = await snapshot(vm, 'before');
    const fault = await faultOf(vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait());
    expect(fault).toMatchObject({ name: 'InvalidState', message: expect.stringContaining('before') });
    await taken.RemoveSnapshot_Task(false).wait();
    expect((await faultOf(vm.ReconfigVM_Task({ numCPUs: 4 } as object).wait())).name).toBe('NotSupported');
  });

  test('refuses what is no specification', async () => {
    const { vm } = await startVm();
    await enable(vm);
    for (const spec of [
      null,
      { changeTrackingEnabled: 'false' },
      { extraConfig: [{ key: 'ctkEnabled', value: 'no' }] },
    ])
      expect((await faultOf(vm.ReconfigVM_Task(spec as never).wait())).name).toBe('InvalidArgument');
    expect(vm.config.changeTrackingEnabled).toBe(true);
  });
});
