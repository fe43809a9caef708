/** One VM port: what it says of disks, points, sessions and data is the same, whether the VM runs or is off. */
import { copyFile, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isContentGone } from '../../../lib/core/session.js';
import type { Vm } from '../../../lib/core/vm.js';
import { openVm } from '../../../lib/host/openVm.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { DISK_BYTES, DISKS, makeOffVm, VM_MAKERS, type VmOfTest } from '../../helpers/vms.js';

const GRANULE = 65_536;
let world: VmOfTest;
let vm: Vm;
const io = (disk: string, command: string): Promise<void> => world.guestIo(disk, command);
const pitsOf = async (disk: string): Promise<string[]> => {
  await using opened = await vm.openDisk(disk);
  return (await opened.pits()).pits.map(({ uuid }) => uuid);
};

describe.each(VM_MAKERS)('a VM $name', ({ running, make }) => {
  beforeEach(async () => {
    world = await make();
    vm = world.vm;
  });
  afterEach(async () => world[Symbol.asyncDispose]());

  test('lists its disks by name, and opens them by it', async () => {
    expect(vm.running).toBe(running);
    expect((await vm.disks()).map(({ disk }) => disk).sort()).toEqual(['a', 'b']);
    const found = await vm.disks({ disks: DISKS });
    expect(found).toMatchObject(
      ['a', 'b'].map((disk) => ({
        disk,
        filename: world.image(disk),
        sizeBytes: DISK_BYTES,
        format: 'qcow2',
        persistent: true,
        trackable: true,
      })),
    );
    expect(await vm.disks({ disks: ['b', 'b'] })).toMatchObject([{ disk: 'b' }]);
    await using opened = await vm.openDisk('b');
    expect(opened.disk).toBe('b');
    expect(await opened.pits()).toMatchObject({ disk: 'b', state: 'untracked' });
    expect(await refusalOf(vm.openDisk('nobody'))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });

  test('enables, begins, commits: the changes between are told, and the data of the instant is read', async () => {
    const first = await vm.enable({ disks: DISKS });
    expect(first.disks).toMatchObject([{ disk: 'a' }, { disk: 'b' }]);
    await io('a', `write -P 7 ${GRANULE} ${GRANULE}`);
    const session = await vm.begin({ disks: DISKS });
    expect(session.disks).toMatchObject(
      ['a', 'b'].map((disk) => ({ disk, sizeBytes: DISK_BYTES, verdict: 'incremental', base: first.pit })),
    );
    await using disk = await session.openDisk('a');
    expect([...(await (await disk.changes({ from: first.pit! })).ranges())]).toEqual([GRANULE, GRANULE]);
    expect(await (await disk.allocated()).changedBytes()).toBe(GRANULE);
    const data = await session.openData('a', { contexts: ['base:allocation'] });
    expect(data.info).toMatchObject({ sizeBytes: DISK_BYTES, readOnly: true });
    expect((await data.read(GRANULE - 1, 2)).toString('hex')).toBe('0007');
    await data.close();
    await session.check();
    await session.check('a');
    expect(await session.commit()).toMatchObject({
      pit: session.pit,
      disks: session.disks.map(({ disk: name, epoch, changeId }) => ({ disk: name, epoch, changeId })),
    });
    expect(await pitsOf('a')).toEqual([first.pit, session.pit]);
    expect(await refusalOf(session.check())).toMatchObject({ code: 'ERR_CBT_CLOSED' });
  });

  test('rolls back, by itself too, as if the session had never been', async () => {
    const { pit } = await vm.enable();
    {
      await using session = await vm.begin({ disks: ['a'] });
      expect(session.disks).toMatchObject([{ disk: 'a' }]);
    }
    expect((await (await vm.begin()).rollback()).disks.flatMap(({ error }) => error ?? [])).toEqual([]);
    expect([await pitsOf('a'), await pitsOf('b')]).toEqual([[pit], [pit]]);
  });

  test('a detached session is resumed by its point, and ended by whoever resumed it', async () => {
    await vm.enable();
    const { pit, disks } = await vm.begin({ detached: true, allowUnwatchedScratch: true });
    const resumed = await vm.resume(pit);
    expect(resumed.pit).toBe(pit);
    expect(resumed.disks).toMatchObject(disks.map(({ disk, changeId }) => ({ disk, changeId })));
    const data = await resumed.openData('b');
    await data.close();
    await resumed.commit();
    expect((await pitsOf('b')).at(-1)).toBe(pit);
  });

  test('a disk that was never tracked begins a history, and says full', async () => {
    const session = await vm.begin({ disks: DISKS });
    expect(session.disks).toMatchObject(['a', 'b'].map((disk) => ({ disk, verdict: 'full' })));
    await session.commit();
    expect(await pitsOf('a')).toEqual([session.pit]);
  });

  test('undo takes off the newest, also the only one; an older one is forgotten', async () => {
    const points: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const session = await vm.begin({ disks: ['a'] });
      await session.commit();
      points.push(session.pit);
    }
    const [first = '', second = '', third = ''] = points;
    const undone = async (pit: string): Promise<string[]> => {
      const { disks } = await vm.undo(pit, { disks: ['a'] });
      expect(disks).toMatchObject([{ disk: 'a' }]);
      expect(disks[0]?.error).toBeUndefined();
      return pitsOf('a');
    };
    expect(await undone(second)).toEqual([first, third]);
    expect(await undone(third)).toEqual([first]);
    expect(await undone(first)).toEqual([]);
    expect((await vm.undo(first, { disks: ['a'] })).disks).toMatchObject([{ disk: 'a', error: {} }]);
  });

  test('forget and disable act on the disks that are named', async () => {
    const { pit } = await vm.enable();
    const session = await vm.begin();
    await session.commit();
    await vm.forget(pit!, { disks: ['a'] });
    await vm.disable({ disks: ['b'] });
    expect([await pitsOf('a'), await pitsOf('b')]).toEqual([[session.pit], []]);
    expect((await vm.reset({ disks: ['b'] })).disks).toMatchObject([{ disk: 'b' }]);
    expect(await pitsOf('b')).toHaveLength(1);
  });

  test('closed, it answers nothing any more', async () => {
    await vm.close();
    expect(await refusalOf(async () => vm.disks())).toMatchObject({ code: 'ERR_CBT_CLOSED' });
    expect(await refusalOf(async () => vm.begin())).toMatchObject({ code: 'ERR_CBT_CLOSED' });
  });
});

describe('a session of a VM that is off', () => {
  beforeEach(async () => {
    world = await makeOffVm();
    vm = world.vm;
    await vm.enable();
  });
  afterEach(async () => world[Symbol.asyncDispose]());

  test('knows a disk that was written to, and no other; that disk keeps no point of it once its data was read', async () => {
    const first = await pitsOf('a');
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
    expect(await pitsOf('a')).toEqual(first);
    expect((await pitsOf('b')).at(-1)).toBe(session.pit);
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

  test('is not the images that have the names by now: every disk has its point, and only the history tells them apart', async () => {
    const session = await vm.begin({ detached: true });
    const [a, b] = [world.image('a'), world.image('b')];
    await copyFile(a, `${a}.kept`);
    await rename(b, a);
    await rename(`${a}.kept`, b);
    expect(await refusalOf(session.check('a'))).toMatchObject({ disk: 'a', fullBackupNeeded: true });
    expect(await refusalOf(async () => (await session.openDisk('a')).pits())).toMatchObject({
      disk: 'a',
      fullBackupNeeded: true,
    });
    expect(await refusalOf(session.openData('b'))).toMatchObject({ disk: 'b', fullBackupNeeded: true });
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
    await using off = await makeOffVm();
    const images = { a: off.image('a') };
    const holder = await ImageHolder.hold(images.a, 'daemon rw');
    try {
      const qmp = `${images.a}.qmp`;
      expect(await refusalOf(openVm({ qmp, images }))).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        reason: 'BUSY',
        disk: 'a',
      });
    } finally {
      await holder.release();
    }
  });

  test('a monitor that is silent is an error, whatever images are known', async () => {
    await using off = await makeOffVm();
    const folder = await makeTemporaryFolder();
    const server = createServer();
    const qmp = join(folder.path, 'silent.qmp');
    await new Promise<void>((resolve) => server.listen(qmp, resolve));
    try {
      const silent = openVm({ qmp, images: { a: off.image('a') }, timeoutMs: 200 });
      expect(await refusalOf(silent)).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await folder.remove();
    }
  });

  test('without images, nobody at the socket is an error', async () => {
    await using off = await makeOffVm();
    expect(await refusalOf(openVm({ qmp: `${off.image('a')}.qmp` }))).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    });
    expect(await refusalOf(openVm({}))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });

  test('who it is, and what is said of it while it is off', async () => {
    await using off = await makeOffVm();
    const UUID = 'C7B5DA86-04A2-4B0F-8F5B-0A3C5B2AC8F1';
    await using named = await openVm({ images: { a: off.image('a') }, name: 'web', uuid: UUID });
    expect(named.key).toBe(UUID.toLowerCase());
    expect(await named.facts()).toEqual({ name: 'web', uuid: UUID, status: null, qemu: null });
    await using alone = await openVm({ images: [off.image('a')] });
    expect(alone.key).toBe(off.image('a'));
    expect(await alone.disks()).toMatchObject([{ disk: off.image('a') }]);
  });
});
