/** A QEMU that dies under a program: everything that was open says that it is lost, and nothing that it was closed. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectVm } from '../../../lib/index.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const LOST = { code: 'ERR_CBT_CONNECTION_LOST', recovery: 'reconnect' };

let folder: TemporaryFolder;
let daemon: StorageDaemon;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '4M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: join(folder.path, 'a.qcow2') }] });
  await daemon.exportWritable('a');
});
afterEach(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await folder?.remove();
});

test('the VM, its disks, maps and session are lost, told by signals and by every call', async () => {
  const socket = daemon.process.file('qmp.sock');
  await using vm = await connectVm(socket, { nbdSocket: daemon.nbdPath, scratchFolder: folder.path });
  const { pit } = await vm.enable();
  await daemon.guestIo('a', 'write -P 1 0 64k');
  const session = await vm.begin({ scratch: { folder: folder.path } });
  const disk = await session.openDisk('a');
  const map = await disk.changes({ from: String(pit) });
  expect([vm.lost.aborted, session.signal.aborted, session.broken]).toEqual([false, false, null]);
  await daemon.process.kill();
  await eventually(() => expect([vm.lost.aborted, session.signal.aborted]).toEqual([true, true]));
  expect(vm.lost.reason).toMatchObject(LOST);
  expect(session.signal.reason).toBe(session.broken);
  expect(session.broken).toMatchObject({ ...LOST, message: expect.stringContaining('is broken') });
  for (const ask of [
    () => vm.disks(),
    () => vm.openDisk('a'),
    () => vm.qmp('query-version'),
    () => vm.begin(),
    () => disk.changes({ from: String(pit) }),
    () => map.ranges(),
    () => session.check(),
    () => session.commit(),
  ])
    expect(await refusalOf(ask), String(ask)).toMatchObject(LOST);
  // What one closes himself is closed.
  await disk.close();
  expect(await refusalOf(disk.pits())).toMatchObject({ code: 'ERR_CBT_CLOSED', recovery: 'fix' });
});

test('a session that breaks cannot end a reading well: a diff, a stream, data that is closed', async () => {
  const vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
  const { pit } = await vm.enable();
  await daemon.guestIo('a', 'write -P 1 0 1M');
  const session = await vm.begin({ scratch: { folder: folder.path } });
  const from = String(pit);
  const pieces = session.diff('a', { from, chunkBytes: 65_536, queueBytes: 65_536 })[Symbol.asyncIterator]();
  expect(await pieces.next()).toMatchObject({ value: { kind: 'data', offset: 0 } });
  const data = await session.openData('a');
  const stream = data.stream(Float64Array.of(0, 65_536));
  await stream.next();
  // From here on the export shows what the guest writes, without a word.
  const { control } = daemon.process;
  const [job] = (await control.execute('query-jobs')) as { id: string }[];
  await control.execute('job-cancel', { id: job?.id });
  const rest = async (): Promise<void> => {
    for (;;) if ((await pieces.next()).done) return;
  };
  const broken = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', message: expect.stringContaining('is broken') };
  expect(await refusalOf(rest())).toMatchObject(broken);
  expect(await refusalOf(stream.next())).toMatchObject(broken);
  expect(await refusalOf(data.close())).toMatchObject(broken);
  expect(session.signal.reason).toBe(session.broken);
  expect(await refusalOf(session.diff('a', { from })[Symbol.asyncIterator]().next())).toMatchObject(broken);
  await vm.close();
});
