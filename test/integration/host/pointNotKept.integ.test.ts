/** A VM that is shut down in the middle of a session: nobody has a backup of the session's point in time, and none starts from it. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Vm } from '../../../lib/core/vm.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { openVm } from '../../../lib/host/openVm.js';
import { requireStored } from '../../../lib/host/storedPoints.js';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

const GRANULE = 65536;

/** The guest writes before and after the session's instant; then it is shut down in order. */
async function leaveSession(image: string, before: (vm: Vm) => Promise<void>): Promise<string> {
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'disk', file: image }] });
  await daemon.exportWritable('disk');
  await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  await before(vm);
  await daemon.guestIo('disk', 'write -P 1 0 64k');
  const { pit } = await vm.begin({ mode: 'fleece' });
  await daemon.guestIo('disk', 'write -P 2 1M 64k');
  await daemon.process.terminate();
  return pit;
}

test('a backup starts from the newest point that was kept, unless the other one is named', async () => {
  await withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    let first = '';
    const open = await leaveSession(image, async (vm) => {
      first = String((await vm.enable()).pit);
    });
    const begun = await new ImageTracking([image]).begin();
    expect(begun.disks).toMatchObject([{ verdict: 'incremental', base: first }]);
    await using disk = await openDisk(image);
    const ranges: number[] = [];
    for await (const { offset, length } of await disk.changes({ from: first })) ranges.push(offset, length);
    expect(ranges).toEqual([0, GRANULE, 1 << 20, GRANULE]);
    const named = await new ImageTracking([image]).begin({ base: open });
    expect(named.disks).toMatchObject([{ verdict: 'incremental', base: open }]);
  });
});

test('where no other point is there, everything is copied', async () => {
  await withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    await leaveSession(image, async () => undefined);
    await using vm = await openVm({ images: { disk: image } });
    const session = await vm.begin();
    expect(session.disks).toMatchObject([
      { verdict: 'full', message: expect.stringContaining('never ended') },
    ]);
    await session.commit();
    expect((await vm.begin()).disks).toMatchObject([{ verdict: 'incremental', base: session.pit }]);
  });
});

test('a point that another one was taken above, before it was looked for, is refused: somebody else has the disk', async () => {
  await withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    const tracking = new ImageTracking([image]);
    const [first] = (await tracking.enable()).disks;
    if (first === undefined) throw new Error('nothing is told of the disk');
    await requireStored(first, '');
    const { pit } = await tracking.begin();
    await expect(requireStored(first, '')).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      reason: 'BUSY',
      message: expect.stringContaining(pit),
    });
  });
});
