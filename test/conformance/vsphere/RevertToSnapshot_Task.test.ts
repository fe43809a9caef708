import { describe, expect, test } from 'vitest';
import { faultOf, snapshot, startVm } from './support.js';

describe('RevertToSnapshot_Task', () => {
  test('is NotSupported, in words', async () => {
    const { vm } = await startVm();
    const { taken } = await snapshot(vm);
    expect(taken.vm).toBe(vm);
    expect((await faultOf(taken.RevertToSnapshot_Task().wait())).name).toBe('NotSupported');
  });
});
