/** Coriolis' note on ESXi 6.5 and 6.7: quiesced snapshots under load gave deltas that did not fit together.
 * Here: a quiesced snapshot under write load; full and delta put together are the disk. */
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { openData } from '../../../lib/host/data.js';
import { FakeGuestAgent } from '../../helpers/fakeGuestAgent.js';
import { disks, MIB, startVm } from '../vsphere/support.js';

test('quiesced snapshots under write load', async () => {
  const { vm: plain, daemon, folder } = await startVm({ sizeBytes: 8 * MIB });
  const agent = await FakeGuestAgent.start();
  try {
    const entry = { ...plain.entry, agentSocket: agent.path };
    const vm = (await connect({ vms: [entry], stateFolder: `${folder}/quiesced` }).findVm('web'))!;
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const { key } = disks(vm)[0]!;
    await using guest = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'd' });
    let going = true;
    const writing = (async () => {
      for (let n = 0; going; n += 1)
        await guest.write(((n * 7) % 128) * 65536, Buffer.alloc(512, 1 + (n % 255)));
    })();
    const copy = Buffer.alloc(8 * MIB);
    let base = '*';
    for (let round = 0; round < 3; round += 1) {
      if (round === 2) {
        going = false;
        await writing;
      }
      const reference = await vm.CreateSnapshot_Task(`r${round}`, '', false, true).wait();
      expect(vm.snapshot!.rootSnapshotList[0]).toMatchObject({ quiesced: true });
      expect(agent.frozen).toBe(false);
      const taken = await vm.findSnapshot(reference);
      const { changedArea } = await vm.QueryChangedDiskAreas(reference, key, 0, base);
      base = disks(taken)[0]!.backing.changeId!;
      const uri = await vm.context.withVm(
        async (connected) => (await connected.resume(taken.session)).disks[0]!.unsafeExportUri!,
      );
      await using content = await openData({ kind: 'uri', uri });
      for (const { start, length } of changedArea) (await content.read(start, length)).copy(copy, start);
      await content.close();
      await taken.RemoveSnapshot_Task(false).wait();
    }
    expect(copy.equals(await guest.read(0, 8 * MIB))).toBe(true);
  } finally {
    await agent[Symbol.asyncDispose]();
  }
});
