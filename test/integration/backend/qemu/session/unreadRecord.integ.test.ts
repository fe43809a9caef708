/** A record that is there and cannot be read at a moment, for want of files or rights, is not that of a session that ended. */
import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { QmpPort } from '../../../../../lib/backend/qemu/qmp/qmpPort.js';
import { letGoWhenEnded } from '../../../../../lib/backend/qemu/session/endedElsewhere.js';
import { holdSession, OWNER_NAME } from '../../../../../lib/backend/qemu/session/owner.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { isHeld } from '../../../../../lib/linux/kernelLock.js';
import { eventually } from '../../../../helpers/eventually.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(async () => {
  await folder.remove();
});

/** Even root cannot open what a link leads to and back. */
async function hideRecord(session: string): Promise<() => Promise<void>> {
  const record = join(session, 'session.json');
  const aside = join(folder.path, 'record');
  await rename(record, aside).catch(() => undefined);
  await symlink('session.json', record);
  return async () => {
    await rm(record);
    await rename(aside, record).catch(() => undefined);
  };
}

test('a session that breaks meanwhile is rolled back when it can be read', async () => {
  const image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  const { pit } = await vm.enable();
  const session = await vm.begin({ nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });
  const [name = ''] = (await readdir(folder.path)).filter((one) => one.startsWith('cbt-'));
  const own = join(folder.path, name);
  const show = await hideRecord(own);
  const [job] = (await daemon.process.control.execute('query-jobs')) as { id: string }[];
  await daemon.process.control.execute('job-cancel', { id: job?.id });
  await eventually(() => expect(session.signal.aborted).toBe(true));
  // Longer than it is asked between two looks.
  await delay(500);
  expect(await isHeld(join(own, OWNER_NAME))).toBe(true);
  await show();
  await session.rollback();
  await using disk = await vm.openDisk('a');
  expect((await disk.pits()).pits.map(({ pit }) => pit)).toEqual([pit]);
  expect((await readdir(folder.path)).filter((one) => one.startsWith('cbt-'))).toEqual([]);
});

test('who waits for the end of a session keeps its lock until the record is gone', async () => {
  const own = join(folder.path, 'cbt-AbCdEf');
  await mkdir(own);
  await holdSession(own, 'session');
  const show = await hideRecord(own);
  let ended = false;
  const waits = letGoWhenEnded({ open: true } as QmpPort, own, 'session').then(() => {
    ended = true;
  });
  await delay(500);
  expect([ended, await isHeld(join(own, OWNER_NAME))]).toEqual([false, true]);
  await show();
  await waits;
  await eventually(async () => expect(await isHeld(join(own, OWNER_NAME))).toBe(false));
});
