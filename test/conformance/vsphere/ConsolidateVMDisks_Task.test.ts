import { describe, expect, test } from 'vitest';
import { startVm } from './support.js';

describe('ConsolidateVMDisks_Task', () => {
  test('succeeds; nothing ever needs it', async () => {
    const { vm } = await startVm();
    await vm.ConsolidateVMDisks_Task().wait();
    expect(vm.runtime.consolidationNeeded).toBe(false);
  });
});
