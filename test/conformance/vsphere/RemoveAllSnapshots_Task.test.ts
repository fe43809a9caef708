import { describe, expect, test } from 'vitest';
import { enable, snapshot, startVm } from './support.js';

describe('RemoveAllSnapshots_Task', () => {
  test('removes all; another can be taken', async () => {
    const { vm } = await startVm();
    await enable(vm);
    await snapshot(vm);
    await vm.RemoveAllSnapshots_Task(true).wait();
    expect(vm.snapshot).toBeUndefined();
    await snapshot(vm, 'next');
  });
});
