/** docs/differences.md, V1. */
import { expect, test } from 'vitest';
import { enable, faultOf, snapshot, startVm } from '../vsphere/support.js';

test('V1: one snapshot is readable at a time', async () => {
  const { vm } = await startVm();
  await enable(vm);
  const first = await snapshot(vm, 'first');
  expect((await faultOf(vm.CreateSnapshot_Task('second', '', false, false).wait())).name).toBe(
    'TaskInProgress',
  );
  await first.taken.RemoveSnapshot_Task(false).wait();
  await snapshot(vm, 'second');
});
