/**
 * Every call of the objects that takes time ends with its caller's own signal and time, by a code of the SDK, whoever does not answer: a
 * monitor or an NBD server that takes the connection and is silent, a QEMU that is stopped under a backup. Nothing is left of it. A new
 * method has to be in the table.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallOptions } from '../../../lib/core/callOptions.js';
import * as prl from '../../../lib/facade/parallels/index.js';
import { runtime } from '../../../lib/facade/parallels/runtime.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { listenSilently, type SilentServer } from '../../helpers/silent.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

type Call = (own: CallOptions) => Promise<unknown>;

const UUID = '6f2b0d64-7d3a-4c0b-9a5f-0b3c5b1d2e3f';
const STATE = process.env['QEMU_CBT_STATE'];

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let monitor: SilentServer;
let nbd: SilentServer;
/** Of a QEMU that is stopped when all of it is open. */
let server: prl.LocalServer;
let vm: prl.PrlVm;
let backup: prl.Backup;
let disk: prl.Disk;
/** Its monitor takes connections, and is silent. */
let mute: prl.PrlVm;
let writable: prl.Disk;
let map: prl.DiskMap;

const silentUri = (): string => `nbd+unix:///?socket=${join(folder.path, 'silent-nbd.sock')}`;
const bytes = Buffer.alloc(65_536);

/** Where somebody is asked who is silent. */
const silent: Record<string, Call> = {
  openPrlDisk: (own) => prl.openPrlDisk(silentUri(), own),
  'LocalServer.findVm': (own) => server.findVm(UUID, own),
  'PrlVm.uuid': (own) => mute.uuid(own),
  'PrlVm.beginBackup': (own) => mute.beginBackup({ createMap: true, ...own }),
  'Backup.getDisk': (own) => backup.getDisk(0, own),
  'Disk.read': (own) => disk.read(0, bytes, own),
  'Disk.write': (own) => writable.write(0, bytes, own),
  'Disk.flush': (own) => writable.flush(own),
  'Disk.getChangesMap': (own) => disk.getChangesMap(null, null, own),
  // The first one closes the disks that are open, which the calls above want.
  'Backup.commit': (own) => backup.commit(own),
  'Backup.rollback': (own) => backup.rollback(own),
};

/** Where only files of this machine are read: nothing but a signal that fired is tried. */
const local: Record<string, Call> = {
  'LocalServer.login': (own) => server.login(own),
  'LocalServer.vms': (own) => server.vms(own),
  'PrlVm.id': (own) => vm.id(own),
};

/** What is begun, and goes on: only the waiting for it ends. Of objects that nobody needs any more. */
const ending: Record<string, Call> = {
  'Disk.close': (own) => disk.close(own),
  'Backup.close': (own) => backup.close(own),
  'LocalServer.logoff': (own) => server.logoff(own),
  'LocalServer.close': (own) => server.close(own),
  'Runtime.close': (own) => new prl.Runtime().close(own),
  'PrlVm.close': (own) => vm.close(own),
  'DiskMap.close': (own) => map.close(own),
};

/** Nothing is waited for; the SDK's own functions have its signatures. */
const AT_ONCE = [
  ...['configureLocalServer', 'configureDisks', 'runWithRuntime', 'ref', 'PrlError', 'Runtime'],
  ...['LocalServer', 'PrlVm', 'Backup', 'Disk', 'DiskMap'],
  ...['PrlVm.toText', 'Backup.toText', 'DiskMap.read', 'DiskMap.copyTo', 'DiskMap.has', 'DiskMap.piece'],
];
const ofTheSdk = (name: string): boolean => /^(Prl[A-Z]\w*_\w+|PRL_\w+|\w+_VIRTUOZZO_API_VER)$/.test(name);

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (given) => ({ given }),
    (thrown: unknown) => (thrown instanceof prl.PrlError ? thrown.code : thrown),
  );
const methodsOf = ({ name, prototype }: { name: string; prototype: object }): string[] =>
  Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([method, { value }]) =>
    typeof value === 'function' && method !== 'constructor' ? [`${name}.${method}`] : [],
  );

let before: string[];
const everything = async (): Promise<string[]> =>
  (await readdir(folder.path, { recursive: true })).filter((name) => !/^state\b|\.lock$/.test(name)).sort();

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  process.env['QEMU_CBT_STATE'] = join(folder.path, 'state');
  const file = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
  await daemon.exportWritable('a');
  monitor = await listenSilently(join(folder.path, 'silent-qmp.sock'));
  nbd = await listenSilently(join(folder.path, 'silent-nbd.sock'));
  writable = await prl.openPrlDisk(`nbd+unix:///a?socket=${daemon.nbdPath}`);
  prl.configureLocalServer([
    { name: 'web', qmpSocket: daemon.process.qmpPath, nbdSocket: daemon.nbdPath, scratchFolder: folder.path },
    { name: 'mute', qmpSocket: join(folder.path, 'silent-qmp.sock') },
  ]);
  server = new prl.LocalServer();
  await server.login();
  mute = await server.findVm('mute');
  vm = await server.findVm('web');
  before = await everything();
  backup = await vm.beginBackup({ createMap: true });
  disk = await backup.getDisk(0);
  map = await disk.getChangesMap();
  daemon.process.child.kill('SIGSTOP');
});
afterAll(async () => {
  daemon?.process.child.kill('SIGCONT');
  await writable?.close();
  await server?.close();
  await daemon?.[Symbol.asyncDispose]();
  await monitor?.[Symbol.asyncDispose]();
  await nbd?.[Symbol.asyncDispose]();
  prl.configureLocalServer(undefined);
  if (STATE === undefined) delete process.env['QEMU_CBT_STATE'];
  else process.env['QEMU_CBT_STATE'] = STATE;
  await folder?.remove();
  expect(runtime().table.size).toBe(0);
});

test('the table has every function, and every method of the objects', () => {
  const classes = [prl.LocalServer, prl.PrlVm, prl.Backup, prl.Disk, prl.DiskMap, prl.Runtime];
  const internal = ['add', 'answer', 'initialise', 'deinitialise', 'requireInitialised', 'lastReasonOf'];
  const functions = Object.entries(prl).flatMap(([name, one]) => (typeof one === 'function' ? [name] : []));
  const known = [silent, local, ending].flatMap((rows) => Object.keys(rows)).concat(AT_ONCE);
  known.push(...internal.map((name) => `Runtime.${name}`));
  const all = [...functions.filter((name) => !ofTheSdk(name)), ...classes.flatMap(methodsOf)];
  expect([...all].sort()).toEqual(known.sort());
});

describe.each(Object.entries({ ...silent, ...local }))('%s', (_, call) => {
  test('begins nothing for a signal that fired, and refuses what is no signal and no time', async () => {
    expect(await codeOf(call({ signal: AbortSignal.abort() }))).toBe('PRL_ERR_OPERATION_WAS_CANCELED');
    const controller = new AbortController() as unknown as AbortSignal;
    for (const odd of [{ signal: controller }, { timeoutMs: 0 }, { timeoutMs: Number.NaN }, { timeout: 1 }])
      expect(await codeOf(call(odd as CallOptions))).toBe('PRL_ERR_INVALID_ARG');
  });
});

describe.each(Object.entries(silent))('%s, where nobody answers', (_, call) => {
  test('is late by its own time, and ends with its signal', async () => {
    const startedAt = performance.now();
    expect(await codeOf(call({ timeoutMs: 100 }))).toBe('PRL_ERR_TIMEOUT');
    const stop = new AbortController();
    const called = codeOf(call({ signal: stop.signal, timeoutMs: 60_000 }));
    setTimeout(() => stop.abort(), 100);
    expect(await called).toBe('PRL_ERR_OPERATION_WAS_CANCELED');
    // Far less than any wait of the library's own.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

test('a job of the functions is called off where its VM is silent', async () => {
  expect(prl.PrlApi_Init(prl.VIRTUOZZO_API_VER)).toBe(prl.PRL_ERR_SUCCESS);
  try {
    const logged = prl.ref<number>();
    prl.PrlSrv_Create(logged);
    await prl.PrlJob_Wait(prl.PrlSrv_LoginLocal(Number(logged.value)), 10_000);
    const finding = prl.PrlSrv_GetVmConfig(Number(logged.value), UUID);
    prl.PrlJob_Cancel(finding);
    expect(await prl.PrlJob_Wait(finding, 5_000)).toBe(prl.PRL_ERR_SUCCESS);
    const code = prl.ref<number>();
    prl.PrlJob_GetRetCode(finding, code);
    expect(code.value).toBe(prl.PRL_ERR_OPERATION_WAS_CANCELED);
  } finally {
    await prl.PrlApi_Deinit();
  }
});

test('an end that nobody waited for is finished later, and nothing is left of all that', async () => {
  for (const [name, call] of Object.entries(ending)) {
    const odd = { timeout: 1 } as CallOptions;
    expect([name, await codeOf(call(odd))]).toEqual([name, 'PRL_ERR_INVALID_ARG']);
  }
  expect(await codeOf(backup.close({ timeoutMs: 100 }))).toBe('PRL_ERR_TIMEOUT');
  expect(await codeOf(backup.close({ signal: AbortSignal.abort() }))).toBe('PRL_ERR_OPERATION_WAS_CANCELED');
  daemon.process.child.kill('SIGCONT');
  await backup.close();
  await server.close();
  await eventually(() => expect([monitor.clients.size, nbd.clients.size]).toEqual([0, 0]));
  expect(await everything()).toEqual(before);
  await server.login();
  await using next = await (await server.findVm('web')).beginBackup();
  expect(next.disksCount).toBe(1);
});
