/** KB 2136854: ESXi 6.0 lost writes that came while a snapshot was consolidated.
 * Here: the guest writes all the time while snapshots come and go, and each byte it wrote is in the next map. */
import { expect, test } from 'vitest';
import { openData } from '../../../lib/host/data.js';
import { enable, MIB, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('writes while snapshots are removed', async () => {
  const { vm, daemon, key } = await startVm();
  await enable(vm);
  let base = await pointInTime(vm);
  await using guest = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'd' });
  const before = await guest.read(0, 64 * MIB);
  for (let round = 0; round < 4; round += 1) {
    let going = true;
    const writing = (async () => {
      for (let n = 0; going; n += 1)
        await guest.write(((n * 37 + round) % 1024) * 65536, Buffer.alloc(512, 1 + ((n + round) % 255)));
    })();
    const taken = await snapshot(vm);
    await taken.taken.RemoveSnapshot_Task(false).wait();
    const next = await snapshot(vm);
    going = false;
    await writing;
    await next.taken.RemoveSnapshot_Task(false).wait();
    const last = await snapshot(vm);
    const { changedArea } = await vm.QueryChangedDiskAreas(last.reference, key, 0, base);
    const now = await guest.read(0, 64 * MIB);
    for (let at = 0; at < now.length; at += 65536) {
      if (now.subarray(at, at + 65536).equals(before.subarray(at, at + 65536))) continue;
      expect(changedArea.some(({ start, length }) => start <= at && at < start + length)).toBe(true);
    }
    now.copy(before);
    base = last.changeId;
    await last.taken.RemoveSnapshot_Task(false).wait();
  }
});
