/** What only a VM that is off has to say, and how it is told which of the two a VM is. What both say is in test/contract. */
import { copyFile, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isContentGone } from '../../../lib/core/session.js';
import type { Vm } from '../../../lib/core/vm.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openVm } from '../../../lib/host/openVm.js';
import * as room from '../../../lib/host/roomForBitmaps.js';
import { undoPoint } from '../../../lib/host/storedPoints.js';
import { WriteWatch } from '../../../lib/linux/writeWatch.js';
import { GRANULE, pitsOf, type VmSubject } from '../../contract/vm.js';
import { vmThatIsOff } from '../../contract/vmMakers.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

vi.mock('../../../lib/host/roomForBitmaps.js', { spy: true });
afterEach(() => {
  vi.resetAllMocks();
  vi.restoreAllMocks();
});

let world: VmSubject;
let vm: Vm;
const io = (disk: string, command: string): Promise<void> => world.guestIo(disk, command);

describe('a session of a VM that is off', () => {
  beforeEach(async () => {
    world = await vmThatIsOff();
    vm = world.vm;
    await vm.enable();
  });
  afterEach(async () => world[Symbol.asyncDispose]());

  test('knows a disk that was written to, and no other; that disk keeps no point of it once its data was read', async () => {
    const first = await pitsOf(vm, 'a');
    const session = await vm.begin();
    await (await session.openData('a')).close();
    await session.check();
    await io('a', 'write -P 1 0 512');
    const error = await refusalOf(session.check('a'));
    expect(error).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      reason: 'BUSY',
      disk: 'a',
      details: { writtenBytes: GRANULE },
    });
    expect(isContentGone(error)).toBe(true);
    await session.check('b');
    expect(await refusalOf(session.check())).toMatchObject({ disk: 'a' });
    expect(await refusalOf(session.openData('a'))).toMatchObject({
      disk: 'a',
      details: { writtenBytes: GRANULE },
    });
    await using disk = await session.openDisk('a');
    // What changed up to the instant is known for ever; what held data then is not.
    expect(await (await disk.changes({ from: first[0]! })).changedBytes()).toBe(0);
    expect(await refusalOf(disk.allocated())).toMatchObject({ details: { writtenBytes: GRANULE } });
    expect((await session.commit()).disks).toMatchObject([
      { disk: 'a', error: { reason: 'BUSY' } },
      { disk: 'b' },
    ]);
    expect(await pitsOf(vm, 'a')).toEqual(first);
    expect((await pitsOf(vm, 'b')).at(-1)).toBe(session.pit);
  });

  test('knows that the VM was started, before it has written anything', async () => {
    const session = await vm.begin();
    await session.check();
    const holder = await ImageHolder.hold(world.image('a'), 'daemon rw');
    try {
      const error = await refusalOf(session.check('a'));
      expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY', disk: 'a' });
      expect(isContentGone(error)).toBe(false);
      expect(await refusalOf(session.openData('a'))).toMatchObject({ reason: 'BUSY', disk: 'a' });
    } finally {
      await holder.release();
    }
    await session.check();
    await session.rollback();
  });

  test('says of a disk in doubt that its point stays, where that cannot be taken off', async () => {
    const session = await vm.begin();
    await (await session.openData('a')).close();
    const holder = await ImageHolder.hold(world.image('a'), 'daemon rw');
    try {
      const [a, b] = (await session.commit()).disks;
      expect(a).toMatchObject({
        disk: 'a',
        error: { reason: 'BUSY', details: { pointStays: session.pit, pointStaysOn: 'a' } },
      });
      expect(a?.error?.message).toContain(`the point in time ${session.pit} may still be on a (`);
      expect(b).toMatchObject({ disk: 'b' });
      expect(b?.error).toBeUndefined();
    } finally {
      await holder.release();
    }
    expect((await pitsOf(vm, 'a')).at(-1)).toBe(session.pit);
    await vm.undo(session.pit, { disks: ['a'] });
    expect(await pitsOf(vm, 'a')).not.toContain(session.pit);
  });

  test('a point that has to be taken off waits for whoever has the image for a moment', async () => {
    const first = await pitsOf(vm, 'a');
    const session = await vm.begin({ detached: true });
    const holder = await ImageHolder.hold(world.image('a'), 'daemon rw');
    const undone = undoPoint([world.image('a')], session.pit);
    await holder.release();
    expect(await undone).toEqual([]);
    expect(await pitsOf(vm, 'a')).toEqual(first);
  });

  test('a point that has to be taken off goes also where another began on top of it', async () => {
    const first = await pitsOf(vm, 'a');
    const refused = await vm.begin({ detached: true });
    const other = await vm.begin({ detached: true });
    expect(await undoPoint([world.image('a')], refused.pit)).toEqual([]);
    expect(await pitsOf(vm, 'a')).toEqual([...first, other.pit]);
    const disk = await other.openDisk('a');
    expect(await (await disk.changes({ from: first[0]! })).changedBytes()).toBe(0);
    expect(await refusalOf(disk.changes({ from: refused.pit }))).toMatchObject({
      code: 'ERR_CBT_UNKNOWN_PIT',
    });
    await disk.close();
  });

  test('that is called off when it has taken a point which cannot be taken off again says so', async () => {
    const first = await pitsOf(vm, 'a');
    const raw = `${world.image('a')}.raw`;
    await qemuImg('create', '-q', '-f', 'raw', raw, '1M');
    await using mixed = await openVm({ images: { a: world.image('a'), raw } });
    const stop = new AbortController();
    const holders: ImageHolder[] = [];
    // The image that holds no point is looked at last.
    vi.spyOn(WriteWatch, 'begin').mockImplementationOnce(async () => {
      holders.push(await ImageHolder.hold(world.image('a'), 'daemon rw'));
      stop.abort();
      throw new Error('called off');
    });
    const error = await refusalOf(mixed.begin({ signal: stop.signal }));
    for (const holder of holders) await holder.release();
    const left = (await pitsOf(vm, 'a')).filter((pit) => !first.includes(pit));
    expect(left).toHaveLength(1);
    expect(error).toMatchObject({
      code: 'ERR_CBT_ABORTED',
      details: { pointStays: left[0], pointStaysOn: 'a' },
    });
    await vm.undo(left[0]!, { disks: ['a'] });
    expect(await pitsOf(vm, 'a')).toEqual(first);
  });

  test('that is called off while its images are begun one by one leaves a point on none of them', async () => {
    const first = await Promise.all(['a', 'b'].map((disk) => pitsOf(vm, disk)));
    const stop = new AbortController();
    // The last thing that is looked at of an image before it is opened for writing.
    vi.mocked(room.requireRoomForBitmaps).mockImplementation(async ([image]) => {
      if (image === world.image('b')) stop.abort();
    });
    const images = [world.image('a'), `${world.image('a')}.gone`, world.image('b')];
    const error = await refusalOf(new ImageTracking(images).begin({ signal: stop.signal }));
    expect(error).toMatchObject({ code: 'ERR_CBT_ABORTED', details: {} });
    expect(await Promise.all(['a', 'b'].map((disk) => pitsOf(vm, disk)))).toEqual(first);
  });

  test('is not the images that have the names by now: every disk has its point, and only the history tells them apart', async () => {
    const session = await vm.begin({ detached: true });
    const [a, b] = [world.image('a'), world.image('b')];
    await copyFile(a, `${a}.kept`);
    await rename(b, a);
    await rename(`${a}.kept`, b);
    expect(await refusalOf(session.check('a'))).toMatchObject({ disk: 'a', recovery: 'full' });
    expect(await refusalOf(async () => (await session.openDisk('a')).pits())).toMatchObject({
      disk: 'a',
      recovery: 'full',
    });
    expect(await refusalOf(session.openData('b'))).toMatchObject({ disk: 'b', recovery: 'full' });
  });

  test('a point that is on none of the disks is told disk by disk', async () => {
    const session = await vm.resume('11111111-2222-3333-4444-555555555555');
    expect(session.disks).toMatchObject(
      ['a', 'b'].map((disk) => ({ disk, error: { reason: 'UNKNOWN_PIT' } })),
    );
    expect(await refusalOf(session.openData('a'))).toMatchObject({ reason: 'UNKNOWN_PIT' });
  });
});

describe('on, off, or not known', () => {
  test('a QEMU that has the images and does not answer is BUSY; one that answers to nobody is no VM that is off', async () => {
    await using off = await vmThatIsOff();
    const images = { a: off.image('a') };
    const holder = await ImageHolder.hold(images.a, 'daemon rw');
    try {
      const qmp = `${images.a}.qmp`;
      expect(await refusalOf(openVm({ address: qmp, images }))).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        reason: 'BUSY',
        disk: 'a',
      });
    } finally {
      await holder.release();
    }
  });

  test('a monitor that is silent is an error, whatever images are known', async () => {
    await using off = await vmThatIsOff();
    const folder = await makeTemporaryFolder();
    const server = createServer();
    const qmp = join(folder.path, 'silent.qmp');
    await new Promise<void>((resolve) => server.listen(qmp, resolve));
    try {
      const silent = openVm({ address: qmp, images: { a: off.image('a') }, timeoutMs: 200 });
      expect(await refusalOf(silent)).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await folder.remove();
    }
  });

  test('without images, nobody at the socket is an error', async () => {
    await using off = await vmThatIsOff();
    expect(await refusalOf(openVm({ address: `${off.image('a')}.qmp` }))).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    });
    expect(await refusalOf(openVm({}))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });

  test('who it is, and what is said of it while it is off', async () => {
    await using off = await vmThatIsOff();
    const UUID = 'C7B5DA86-04A2-4B0F-8F5B-0A3C5B2AC8F1';
    await using named = await openVm({ images: { a: off.image('a') }, name: 'web', uuid: UUID });
    expect(named.key).toBe(UUID.toLowerCase());
    expect(await named.facts()).toMatchObject({ name: 'web', uuid: UUID, status: null, qemu: null });
    await using alone = await openVm({ images: [off.image('a')] });
    expect(alone.key).toBe(off.image('a'));
    expect(await alone.disks()).toMatchObject([{ disk: off.image('a') }]);
  });
});
