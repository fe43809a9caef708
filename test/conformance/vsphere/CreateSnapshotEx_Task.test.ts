import { describe, expect, test } from 'vitest';
import { enable, faultOf, startVm } from './support.js';

describe('CreateSnapshotEx_Task', () => {
  test('takes a snapshot; the time for freezing is 5 to 240 minutes', async () => {
    const { vm } = await startVm();
    await enable(vm);
    for (const timeout of [4, 241, 5.5])
      expect(await faultOf(vm.CreateSnapshotEx_Task('x', '', false, { timeout }).wait())).toMatchObject({
        name: 'InvalidArgument',
        invalidProperty: 'quiesceSpec.timeout',
      });
    const reference = await vm.CreateSnapshotEx_Task('x', undefined, false, { timeout: 5 }).wait();
    // Without an agent freezing is ignored, as without guest tools.
    expect(vm.snapshot?.rootSnapshotList[0]).toMatchObject({
      snapshot: reference,
      quiesced: false,
      description: '',
    });
  });
});
