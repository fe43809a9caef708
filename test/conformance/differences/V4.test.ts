/** docs/differences.md, V4. */
import { expect, test } from 'vitest';
import { disks, enable, KIB64, pairs, snapshot, startVm } from '../vsphere/support.js';

test('V4: tracking takes effect at once', async () => {
  const { vm, daemon, key } = await startVm();
  await enable(vm);
  const id = disks(vm)[0]!.backing.changeId!;
  await daemon.guestIo('d', 'write 0 64k');
  const { reference } = await snapshot(vm);
  expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, id)).changedArea)).toEqual([[0, KIB64]]);
});
