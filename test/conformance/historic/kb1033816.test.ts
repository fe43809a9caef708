/** KB 1033816: tracking that was switched on in the middle of a chain of snapshots gave faults or wrong data.
 * Here: it is refused while there are snapshots, with their names. */
import { expect, test } from 'vitest';
import { faultOf, snapshot, startVm } from '../vsphere/support.js';

test('switching on with a snapshot there', async () => {
  const { vm } = await startVm();
  await snapshot(vm, 'old one');
  const fault = await faultOf(vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait());
  expect(fault).toMatchObject({ name: 'InvalidState', message: expect.stringContaining('old one') });
});
