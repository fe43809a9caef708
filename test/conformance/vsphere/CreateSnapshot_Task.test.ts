import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { sequenceOf } from '../../helpers/states.js';
import { disks, enable, faultOf, MIB, snapshot, startVm } from './support.js';

describe('CreateSnapshot_Task', () => {
  test('gives the snapshot, which names the instant of each disk', async () => {
    const { vm, again } = await startVm();
    await enable(vm);
    const task = vm.CreateSnapshot_Task('one', 'the first', false, false);
    const taken = await task.wait();
    expect(task.info.result).toBe(taken);
    const reference = { type: 'VirtualMachineSnapshot', value: '1-snapshot-1' };
    expect([taken.toJSON(), taken._moId, taken.vm]).toEqual([reference, '1-snapshot-1', vm]);
    const [first] = vm.snapshot!.rootSnapshotList;
    expect(first).toMatchObject({
      name: 'one',
      description: 'the first',
      state: 'poweredOff',
      quiesced: false,
    });
    expect(first).toMatchObject({ replaySupported: false, vm });
    for (const one of [first!.snapshot, vm.snapshot!.currentSnapshot])
      expect(one.toJSON()).toEqual(reference);
    const device = disks(taken)[0]!;
    expect(device).toMatchObject({
      key: disks(vm)[0]!.key,
      capacityInBytes: 64 * MIB,
      diskObjectId: `1-${device.key}`,
    });
    expect(sequenceOf(device.backing.changeId)).toBe(2);
    // Another process sees the same, and can end it.
    const other = await again();
    expect(JSON.stringify(other.snapshot)).toBe(JSON.stringify(vm.snapshot));
    await (await other.findSnapshot('snapshot-1')).RemoveSnapshot_Task(false).wait();
    expect(other.snapshot).toBeUndefined();
    expect(JSON.parse(JSON.stringify(other.config))).toEqual(other.config);
  });
  test('a disk that is not tracked has no changeId, and does not become tracked', async () => {
    const { vm } = await startVm();
    const { taken, changeId } = await snapshot(vm);
    expect(changeId).toBeUndefined();
    await taken.RemoveSnapshot_Task(false).wait();
    expect(vm.config.changeTrackingEnabled).toBe(false);
  });
  test('faults: memory, a name, a snapshot that is still there, cancelled', async () => {
    const { vm } = await startVm();
    await enable(vm);
    expect((await faultOf(vm.CreateSnapshot_Task('x', '', true, false).wait())).name).toBe('NotSupported');
    expect((await faultOf(vm.CreateSnapshot_Task('', '', false, false).wait()))._type).toBe('InvalidName');
    const cancelled = vm.CreateSnapshot_Task('x', '', false, false);
    cancelled.CancelTask();
    expect((await faultOf(cancelled.wait())).name).toBe('RequestCanceled');
    await snapshot(vm, 'first');
    const fault = await faultOf(vm.CreateSnapshot_Task('second', '', false, false).wait());
    expect(fault.name).toBe('TaskInProgress');
    expect(fault.message).toContain('first');
  });

  test('others that look at the VM meanwhile lose nothing of it', async () => {
    const { vm, again } = await startVm();
    await enable(vm);
    const others = await Promise.all([again(), again(), again()]);
    const creating = vm.CreateSnapshot_Task('kept', '', false, false).wait();
    let going = true;
    const looking = (async () => {
      while (going) for (const other of others) await other.refresh();
    })();
    const reference = await creating;
    going = false;
    await looking;
    expect((await others[0]!.refresh()).snapshot?.currentSnapshot.value).toBe(reference!.value);
    await others[1]!.RemoveAllSnapshots_Task().wait();
    await snapshot(vm);
  });
  test('a process that died while it took one leaves nothing that holds off the next', async () => {
    const { vm } = await startVm();
    await enable(vm);
    const { taken } = await snapshot(vm);
    // As it stands when the process dies between the session and its record.
    const owner = { pid: process.pid, bootId: 'another', host: hostname() };
    await vm.context.records.update((record) => {
      record.snapshots = [];
      record.pending.push({ session: taken.session, owner });
    });
    await snapshot(vm, 'next');
    expect((await vm.context.records.read()).pending).toEqual([]);
  });
});
