/**
 * Every call of the backup program that takes time ends with its caller's own signal and time, whoever does not answer: a QEMU that is stopped, an NBD
 * server or a web server that takes the connection and is silent. Nothing is left of it. A new export has to be in the table.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as program from '../../../lib/backup/index.js';
import type { CallOptions } from '../../../lib/core/callOptions.js';
import { CbtError } from '../../../lib/core/errors.js';
import { onAbort } from '../../../lib/core/onAbort.js';
import type { TrackedDisk, Vm } from '../../../lib/index.js';
import { ChangeMap, connectVm, findVmLeftovers } from '../../../lib/index.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { listenSilently, type SilentServer } from '../../helpers/silent.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const { backup, estimate, verify, verifyAgainst, prune, restore, restoreRun, restoreOnto, listRuns } =
  program;
const {
  checkNewest,
  copyFolder,
  backupToTarget,
  restoreFromTarget,
  verifyTarget,
  checkMap,
  vmSource,
  httpTarget,
} = program;

/** They make something, and wait for nobody. */
const AT_ONCE = [
  'BackupFolder',
  'folderTarget',
  'httpTarget',
  's3Target',
  'imagesSource',
  'vmSource',
  'runsToKeep',
];

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
let nbd: SilentServer;
let web: SilentServer;
let disk: TrackedDisk;
let from: string;

/** What answers only when it is called off. */
const never = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => onAbort(signal, () => reject(new CbtError('ERR_CBT_ABORTED', 'called off'))));
const DATA: program.ReadableDisk = {
  info: { sizeBytes: 1 << 20 },
  read: (_offset, _length, { signal } = {}) => never(signal),
};
const MAP = await ChangeMap.from({ page: ({ signal }) => never(signal) }, { disk: 'a', sizeBytes: 1 << 20 });
const source = (): program.BackupSource => vmSource(vm, { scratch: { folder: folder.path } });
const target = (): program.BackupTarget => httpTarget({ url: `http://127.0.0.1:${web.port}/` });
const silentUri = (): string => `nbd+unix:///?socket=${encodeURIComponent(join(folder.path, 'silent.sock'))}`;

/** What waits for the peer; and what only reads files of this machine, which nothing cuts in half. */
const silent: Record<string, (own: CallOptions) => Promise<unknown>> = {
  backup: (own) => backup(source(), { to: from, ...own }),
  estimate: (own) => estimate(source(), { to: from, ...own }),
  verifyAgainst: (own) => verifyAgainst(source(), { from, ...own }),
  prune: (own) => prune({ from, rules: { last: 1 }, source: source(), ...own }),
  restore: (own) => restore({ from, to: silentUri(), ...own }),
  backupToTarget: (own) => backupToTarget(source(), { to: target(), ...own }),
  restoreFromTarget: (own) => restoreFromTarget({ from: target(), to: join(folder.path, 'out'), ...own }),
  verifyTarget: (own) => verifyTarget({ from: target(), ...own }),
  checkMap: (own) => checkMap({ before: DATA, after: DATA, map: MAP, ...own }),
};
const local: Record<string, (own: CallOptions) => Promise<unknown>> = {
  verify: (own) => verify({ from, ...own }),
  restoreRun: (own) => restoreRun({ from, toFolder: join(folder.path, 'restored'), ...own }),
  restoreOnto: (own) => restoreOnto({ from, onto: [{ image: join(folder.path, 'out.qcow2') }], ...own }),
  copyFolder: (own) => copyFolder({ from, to: join(folder.path, 'copied'), ...own }),
  listRuns: (own) => listRuns({ from, ...own }),
  checkNewest: (own) => checkNewest({ from, maxAgeMs: 60_000, ...own }),
};

let before: string[];
const everything = async (): Promise<string[]> =>
  (await readdir(folder.path, { recursive: true })).filter((name) => !name.endsWith('.lock')).sort();

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  from = join(folder.path, 'backups');
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '1M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: join(folder.path, 'a.qcow2') }] });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath, scratchFolder: folder.path });
  await backup(source(), { to: from });
  await daemon.guestIo('a', 'write -P 1 0 64k');
  disk = await vm.openDisk('a');
  // A session wants QEMU's one NBD server, and who asks meanwhile has to let go of it.
  await disk.allocated();
  nbd = await listenSilently(join(folder.path, 'silent.sock'));
  web = await listenSilently();
  before = await everything();
  daemon.process.child.kill('SIGSTOP');
});
afterAll(async () => {
  daemon?.process.child.kill('SIGCONT');
  await disk?.close();
  await vm?.close();
  await daemon?.[Symbol.asyncDispose]();
  await nbd?.[Symbol.asyncDispose]();
  await web?.[Symbol.asyncDispose]();
  await folder?.remove();
});

test('the table has every function of the package’s subpath', () => {
  const functions = Object.entries(program).flatMap(([name, one]) =>
    typeof one === 'function' ? [name] : [],
  );
  expect([...Object.keys(silent), ...Object.keys(local), ...AT_ONCE].sort()).toEqual(functions.sort());
});

describe.each(Object.entries({ ...silent, ...local }))('%s', (_, call) => {
  test('begins nothing for a signal that fired, and refuses what is no signal and no time', async () => {
    expect(await refusalOf(call({ signal: AbortSignal.abort() }))).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    const controller = new AbortController() as unknown as AbortSignal;
    for (const odd of [{ signal: controller }, { timeoutMs: 0 }, { timeoutMs: Number.NaN }, { timeout: 1 }])
      expect(await refusalOf(call(odd as CallOptions))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });
});

describe.each(Object.entries(silent))('%s, where nobody answers', (name, call) => {
  test('is late by its own time, and ends with its signal', async () => {
    expect(await refusalOf(call({ timeoutMs: 100 }))).toMatchObject({
      code: 'ERR_CBT_TIMEOUT',
      message: `${name} was given 100 ms, and they are over`,
    });
    const stop = new AbortController();
    const called = refusalOf(call({ signal: stop.signal, timeoutMs: 60_000 }));
    setTimeout(() => stop.abort(), 100);
    expect(await called).toMatchObject({ code: 'ERR_CBT_ABORTED' });
  });
});

test('nothing is left of all that: no file, no connection, no point in time, nothing in QEMU', async () => {
  daemon.process.child.kill('SIGCONT');
  await eventually(() => expect([nbd.clients.size, web.clients.size]).toEqual([0, 0]));
  expect(await everything()).toEqual(before);
  expect(await findVmLeftovers(daemon.process.qmpPath, { scratchFolder: folder.path })).toEqual([]);
  expect((await disk.pits()).pits).toHaveLength(1);
  expect((await backup(source(), { to: from })).disks).toMatchObject([{ verdict: 'incremental' }]);
});
