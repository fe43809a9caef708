/** The small examples of the core API, run as their reader would. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openData } from '../../../lib/host/data.js';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const example = (name: string): string =>
  fileURLToPath(new URL(`../../../examples/${name}.mjs`, import.meta.url));
const SIZE = 8 << 20;
let folder: TemporaryFolder;
let daemon: StorageDaemon;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'd'), String(SIZE));
  daemon = await StorageDaemon.start({ disks: [{ node: 'd', file: join(folder.path, 'd') }] });
  await daemon.exportWritable('d');
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

test('incremental-backup: full, then what changed; the file is the disk', async () => {
  const env = { ...process.env, NBD_SOCKET: daemon.nbdPath };
  const socket = daemon.process.file('qmp.sock');
  const to = join(folder.path, 'backup');
  const backup = async (): Promise<string> =>
    (await run('node', [example('incremental-backup'), socket, 'd', to], { env })).stdout;
  await daemon.guestIo('d', 'write -P 1 0 1M');
  expect(await backup()).toMatch(/^full/);
  await daemon.guestIo('d', 'write -P 2 512k 64k', 'write -P 3 4M 64k');
  expect(await backup()).toMatch(/^incremental since [0-9a-f-]{36}\n131072 bytes/);
  await using disk = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'd' });
  expect((await readFile(join(to, 'disk.raw'))).equals(await disk.read(0, SIZE))).toBe(true);
});

test('changed-ranges-stream ends where a live disk has no answer', async () => {
  const socket = daemon.process.file('qmp.sock');
  const vm = await connectVm(socket);
  await vm.enable({ disks: ['d'] });
  await vm.close();
  const ask = (from: string) =>
    run('node', [example('changed-ranges-stream'), `qmp:${socket}#d`, from], { timeout: 60_000 });
  await expect(ask('00000000-1111-4222-8333-444444444444')).rejects.toMatchObject({
    code: 3,
    killed: false,
    stderr: expect.stringContaining('ERR_CBT_UNKNOWN_PIT'),
  });
});

test('changed-ranges-stream: a JSON line for each range, and the reason where there is none', async () => {
  const socket = daemon.process.file('qmp.sock');
  const vm = await connectVm(socket);
  const pit = String((await vm.enable({ disks: ['d'] })).pit);
  await vm.close();
  await daemon.guestIo('d', 'write 64k 64k');
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  const ask = (from: string) => run('node', [example('changed-ranges-stream'), join(folder.path, 'd'), from]);
  expect((await ask(pit)).stdout).toBe('{"offset":65536,"length":65536}\n');
  await expect(ask('00000000-1111-4222-8333-444444444444')).rejects.toMatchObject({
    code: 3,
    stderr: expect.stringContaining('ERR_CBT_UNKNOWN_PIT'),
  });
});
