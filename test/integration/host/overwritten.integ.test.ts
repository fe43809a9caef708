/**
 * An older copy of an image is put over it, onto the same inode, as `cp` does: while its QEMU runs, in the middle of a session, in the
 * middle of a question, between two sessions. Whatever is answered then misses nothing; where that cannot be, nothing is answered.
 */
import { copyFile, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TrackedDisk } from '../../../lib/core/trackedDisk.js';
import type { Vm } from '../../../lib/core/vm.js';
import { openDisk } from '../../../lib/host/open.js';
import { openVm } from '../../../lib/host/openVm.js';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
let image: string;
let other: string;
let older: string;

/** Onto the same inode, also where the new one is shorter; with the times of the copy, as `cp -p` leaves them. */
async function overwrite(): Promise<void> {
  await writeFile(image, await readFile(older));
  const { atime, mtime } = await stat(older);
  await utimes(image, atime, mtime);
}
const changesOf = async (disk: TrackedDisk, from: string): Promise<number[]> =>
  Array.from(await (await disk.changes({ from })).ranges());

const byName = <T extends { disk: string }>(disks: readonly T[]): T[] =>
  [...disks].sort((one, next) => (one.disk < next.disk ? -1 : 1));

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [image, other, older] = ['a', 'b', 'older'].map((name) => join(folder.path, `${name}.qcow2`)) as [
    string,
    string,
    string,
  ];
  for (const path of [image, other]) await qemuImg('create', '-q', '-f', 'qcow2', path, '16M');
});
afterEach(async () => {
  await folder.remove();
});

describe('while its QEMU runs', () => {
  let daemon: StorageDaemon;
  let vm: Vm;
  let first: string;
  beforeEach(async () => {
    await using off = await openVm({ images: [image, other] });
    ({ pit: first } = (await off.enable()) as { pit: string });
    await copyFile(image, older);
    daemon = await StorageDaemon.start({
      disks: [
        { node: 'a', file: image },
        { node: 'b', file: other },
      ],
    });
    await daemon.exportWritable('a', 'b');
    vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    await daemon.guestIo('a', 'write -P 1 1M 1M');
    await daemon.guestIo('b', 'write -P 1 2M 1M');
  });
  afterEach(async () => {
    await vm.close();
    await daemon[Symbol.asyncDispose]();
  });
  const why = { code: 'ERR_CBT_CORRUPT_IMAGE', reason: 'CRASHED', disk: 'a' };

  test('no question is answered, and another disk answers', async () => {
    await using disk = await vm.openDisk('a');
    expect(await changesOf(disk, first)).toEqual([MiB, MiB]);
    await overwrite();
    await expect(changesOf(disk, first)).rejects.toMatchObject(why);
    await expect(disk.pits()).rejects.toMatchObject(why);
    await using sound = await vm.openDisk('b');
    expect(await changesOf(sound, first)).toEqual([2 * MiB, MiB]);
  });

  test('no session begins on it, and one does on another disk', async () => {
    await overwrite();
    await using session = await vm.begin();
    expect(byName(session.disks)).toMatchObject([
      { disk: 'a', error: why },
      { disk: 'b', verdict: 'incremental' },
    ]);
  });

  test('a session that was open keeps no point of it, and one of another disk', async () => {
    const session = await vm.begin();
    await overwrite();
    const { disks } = await session.commit().catch((error) => error);
    expect(byName(disks)).toMatchObject([
      { disk: 'a', error: why },
      { disk: 'b', changeId: expect.any(String) },
    ]);
    expect(disks.find((one: { disk: string }) => one.disk === 'a').error.message).toContain(
      'Tracking has ended',
    );
    const next = await vm.begin();
    expect(byName(next.disks)).toMatchObject([
      { disk: 'a', verdict: 'full' },
      { disk: 'b', verdict: 'incremental', base: session.pit },
    ]);
    await next.rollback();
    // What QEMU stores when it closes the image is none of the session's.
    await daemon.process.terminate();
    await using after = await openDisk(image);
    expect((await after.pits()).pits.map(({ pit }) => pit)).not.toContain(session.pit);
  });

  test('a session that was rolled back leaves nothing of it to build on', async () => {
    const session = await vm.begin();
    await overwrite();
    const rolled = await session.rollback();
    expect(byName(rolled.disks)).toMatchObject([{ disk: 'a', error: why }, { disk: 'b' }]);
    const next = await vm.begin();
    expect(byName(next.disks)).toMatchObject([
      { disk: 'a', verdict: 'full' },
      { disk: 'b', verdict: 'incremental', base: first },
    ]);
    await next.rollback();
  });
});

test('a raw disk whose guest holds such an image in it is as any other', async () => {
  await using off = await openVm({ images: [image] });
  await off.enable();
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image, driver: 'raw' }] });
  await daemon.exportWritable('a');
  await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  const { pit } = await vm.enable();
  await using disk = await vm.openDisk('a');
  await daemon.guestIo('a', 'write -P 1 64k 64k');
  expect(await changesOf(disk, String(pit))).toEqual([65536, 65536]);
  const session = await vm.begin();
  expect(session.disks).toMatchObject([{ disk: 'a', verdict: 'incremental' }]);
  expect((await session.commit()).disks).toMatchObject([{ disk: 'a', changeId: expect.any(String) }]);
});

describe('at rest', () => {
  let vm: Vm;
  /** Points with a backup: of the older copy, and after it. */
  let known: string;
  let lost: string;
  beforeEach(async () => {
    vm = await openVm({ images: [image] });
    const begun = await vm.begin();
    known = begun.pit;
    await begun.commit();
    await qemuIo([image], 'write -P 1 1M 1M');
    await copyFile(image, older);
    await qemuIo([image], 'write -P 2 4M 1M');
    const next = await vm.begin();
    lost = next.pit;
    await next.commit();
    await qemuIo([image], 'write -P 3 8M 1M');
  });
  afterEach(async () => {
    await vm.close();
  });

  test('between two sessions: the point of the other branch is refused, that of both answers of what the copy holds', async () => {
    await overwrite();
    await using disk = await openDisk(image);
    await expect(changesOf(disk, lost)).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
    expect(await changesOf(disk, known)).toEqual([MiB, MiB]);
    const next = await vm.begin();
    expect(next.disks).toMatchObject([{ base: known }]);
    await next.commit();
  });

  test('in the middle of a session: nothing is read of it, and nothing kept', async () => {
    const session = await vm.begin();
    await overwrite();
    await expect(session.openData(image)).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
    await expect(session.check()).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
    await session.rollback().catch(() => undefined);
  });

  test('after it was read: the commit says that what was read is not the instant', async () => {
    const session = await vm.begin();
    await (await session.openData(image)).close();
    await overwrite();
    await expect(session.commit()).rejects.toMatchObject({ disks: [{ error: { reason: 'UNKNOWN_PIT' } }] });
  });

  test('in the middle of a question', async () => {
    await using disk = await openDisk(image);
    const map = await disk.changes({ from: known });
    await overwrite();
    await expect(map.ranges()).rejects.toMatchObject({ reason: 'BUSY' });
  });
});
