/** docs/differences.md, V6. */
import { expect, test } from 'vitest';
import { faultOf, snapshot, startVm } from '../vsphere/support.js';

test('V6: there is no going back to a snapshot', async () => {
  const { vm } = await startVm();
  const { taken } = await snapshot(vm);
  expect((await faultOf(taken.RevertToSnapshot_Task().wait())).name).toBe('NotSupported');
  expect((await faultOf(vm.RevertToCurrentSnapshot_Task().wait())).name).toBe('NotSupported');
});
