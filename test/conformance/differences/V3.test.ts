/** docs/differences.md, V3. */
import { expect, test } from 'vitest';
import { connectVm } from '../../../lib/vm.js';
import { faultOf, snapshot, startVm } from '../vsphere/support.js';

test('V3: a changeId that was never given out is a fault, whatever its number', async () => {
  const { vm, daemon, key } = await startVm();
  await using connected = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
  // Given out by others: the number is good, the record does not know it.
  await connected.enable({ disks: ['d'] });
  const { disks } = await connected.begin({ scratch: { folder: vm.entry.scratch } }).then((s) => s.commit());
  const { reference } = await snapshot(vm);
  const id = disks[0]!.changeId!;
  expect((await faultOf(vm.QueryChangedDiskAreas(reference, key, 0, id))).name).toBe('FileFault');
});
