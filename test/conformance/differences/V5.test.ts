/** docs/differences.md, V5. */
import { expect, test } from 'vitest';
import { faultOf, snapshot, startVm } from '../vsphere/support.js';

test('V5: faults carry the true reason', async () => {
  const { vm, key } = await startVm();
  const { reference } = await snapshot(vm);
  const id = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81';
  const fault = await faultOf(vm.QueryChangedDiskAreas(reference, key, 0, id));
  expect(fault.message).toMatch(/^Error caused by file /);
  expect(fault.faultMessage[0]!.message).toBe('the disk was not tracked when the snapshot was taken');
});
