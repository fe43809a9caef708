/**
 * Every call of the package's main entry that takes time ends with its caller's own signal and time, whoever does not answer: a monitor or an NBD server
 * that takes the connection and is silent, a QEMU that is stopped under open objects. Nothing is left of it. A new export, and a
 * new method of what the calls give, has to be in the table.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallOptions } from '../../../lib/core/callOptions.js';
import { mending } from '../../../lib/host/leftover.js';
import * as main from '../../../lib/index.js';
import { eventually } from '../../helpers/eventually.js';
import { methodsOf } from '../../helpers/methodsOf.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { listenSilently, type SilentServer } from '../../helpers/silent.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const { connectVm, openVm, openDisk, openData, openExportMap, keepVm, createPool, Inventory } = main;

type Call = (own: CallOptions) => Promise<unknown>;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let monitor: SilentServer;
let nbd: SilentServer;
/** Of a QEMU that is stopped when all of it is open. */
let vm: main.Vm;
let disk: main.TrackedDisk;
let map: main.ChangeMap;
let session: main.Session;
let shown: main.TrackedDisk;
let data: main.DiskData;

const qmp = (): string => join(folder.path, 'silent-qmp.sock');
const image = (): string => join(folder.path, 'off.qcow2');
const inventory = (): main.Inventory =>
  new Inventory({ vms: [{ name: 'web', qmpSocket: qmp() }], stateFolder: join(folder.path, 'state') });
const hostVm = async (): Promise<main.HostVm> => inventory().require('web');
const target = () => ({ kind: 'unix', path: join(folder.path, 'silent-nbd.sock') }) as const;
const UUID = '6f2b0d64-7d3a-4c0b-9a5f-0b3c5b1d2e3f';
const RANGES = Float64Array.of(0, 65_536);
const never = (): Promise<never> => new Promise(() => undefined);
const wait = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** Where somebody is asked who is silent. */
const silent: Record<string, Call> = {
  connectVm: (own) => connectVm(qmp(), own),
  openVm: (own) => openVm({ address: qmp(), images: [image()], ...own }),
  openDisk: (own) => openDisk(`qmp:${qmp()}#a`, own),
  openData: (own) => openData(target(), own),
  openExportMap: (own) => openExportMap(target(), null, own),
  findVmLeftovers: (own) => main.findVmLeftovers(qmp(), own),
  'VmKeeper.use': async (own) => {
    await using keeper = keepVm({ address: qmp() });
    return await keeper.use(never, own);
  },
  'VmPool.use': async (own) => {
    await using pool = createPool({ vms: { a: { address: qmp() } } });
    return await pool.use('a', never, own);
  },
  'VmPool.recover': async (own) => {
    await using pool = createPool({ vms: { a: { address: qmp() } } });
    return await pool.recover(own);
  },
  'Inventory.openDisk': (own) => inventory().openDisk('web#a', own),
  'Inventory.find': (own) => inventory().find(UUID, own),
  'Inventory.require': (own) => inventory().require(UUID, own),
  'Inventory.findDisk': (own) => inventory().findDisk(`${UUID}#a`, own),
  'HostVm.connect': async (own) => (await hostVm()).connect(own),
  'HostVm.reach': async (own) => (await hostVm()).reach(own),
  'HostVm.openDisk': async (own) => (await hostVm()).openDisk('a', own),
  'HostVm.uuid': async (own) => (await hostVm()).uuid(own),
  'Vm.facts': (own) => vm.facts(own),
  'Vm.disks': (own) => vm.disks(own),
  'Vm.openDisk': (own) => vm.openDisk('a', own),
  'Vm.enable': (own) => vm.enable(own),
  'Vm.reset': (own) => vm.reset(own),
  'Vm.disable': (own) => vm.disable(own),
  'Vm.forget': (own) => vm.forget(UUID, own),
  'Vm.undo': (own) => vm.undo(UUID, own),
  'Vm.begin': (own) => vm.begin(own),
  'Vm.resume': (own) => vm.resume(UUID, own),
  'Vm.qmp': (own) => vm.qmp('query-status', undefined, own),
  'TrackedDisk.topLayer': (own) => disk.topLayer(own),
  'TrackedDisk.pits': (own) => disk.pits(own),
  'TrackedDisk.changes': (own) => disk.changes({ from: '*', ...own }),
  'TrackedDisk.allocated': (own) => disk.allocated(own),
  'TrackedDisk.openData': (own) => shown.openData(own),
  'ChangeMap.page': (own) => map.page(own),
  'ChangeMap.ranges': (own) => map.ranges(own),
  'ChangeMap.batches': (own) => map.batches(own).next(),
  'ChangeMap.kinds': (own) => map.kinds(own).next(),
  'ChangeMap.changedBytes': (own) => map.changedBytes(own),
  'ChangeMap.bits': (own) => map.bits(65_536, own),
  'ChangeMap.bitBatches': (own) => map.bitBatches(65_536, own).next(),
  'Session.openDisk': async (own) => (await session.openDisk('a', own)).pits(own),
  'Session.openData': (own) => session.openData('a', own),
  'Session.check': (own) => session.check('a', own),
  'Session.diff': async (own) =>
    session
      .diff('a', { from: '*', ...own })
      [Symbol.asyncIterator]()
      .next(),
  'Session.commit': (own) => session.commit(own),
  'DiskData.read': (own) => data.read(0, 65_536, own),
  'DiskData.readRanges': (own) => data.readRanges(RANGES, own),
  'DiskData.forEachPiece': (own) => data.forEachPiece(RANGES, async () => undefined, own),
  'DiskData.stream': async (own) => data.stream(RANGES, own).next(),
  'Diff.stream': async (own) => {
    const reader = session
      .diff('a', { from: '*', ...own })
      .stream()
      .getReader();
    return await reader.read();
  },
};

/** Where nobody is asked but the file system of this machine, whose answers are waited for: only a signal that fired is tried. */
const local: Record<string, Call> = {
  findImageLeftovers: (own) => main.findImageLeftovers([image()], own),
  'Inventory.vms': (own) => inventory().vms(own),
  'Inventory.file': (own) => inventory().file(own),
  'Inventory.scratchPlaces': (own) => inventory().scratchPlaces(own),
  'Inventory.unserved': (own) => inventory().unserved(own),
  'Inventory.reload': (own) => inventory().reload(own),
  'Inventory.numbered': (own) => inventory().numbered('vm-1', undefined, own),
  'HostVm.id': async (own) => (await hostVm()).id(own),
  'HostVm.hold': async (own) => (await hostVm()).hold('me', undefined, own),
  'HostVm.letGo': async (own) => (await hostVm()).letGo('me', undefined, own),
  'HostVm.changing': async (own) => (await hostVm()).changing('it', async () => undefined, own),
  'Inventory.domainsOf': (own) => inventory().domainsOf('', own),
};

/** What is begun, and then goes on or is finished by the next call: only the waiting for it ends. */
const ending: Record<string, Call> = {
  'TrackedDisk.close': (own) => disk.close(own),
  'Session.rollback': (own) => session.rollback(own),
};

/** Nothing is waited for; the rest is the library's own, or told by the tests of its own. */
const AT_ONCE = [
  ...[
    'keepVm',
    'createPool',
    'CbtError',
    'ChangeMap',
    'Diff',
    'Inventory',
    'TrackedDisk',
    'VmPool',
    'pointId',
    'changeId',
  ],
  ...['VmPool.states', 'Inventory.passed', 'HostVm.become', 'HostVm.holders', 'ChangeMap.start'],
  ...[
    'HostVm.identity',
    'TrackedDisk.onOneReading',
    'TrackedDisk.openDataBy',
    'TrackedDisk.loseWith',
    'TrackedDisk.closeWith',
  ],
  // Not of a session's export, which cannot be written.
  ...['DiskData.write', 'DiskData.writeRanges', 'DiskData.writeStream', 'DiskData.zero', 'DiskData.trim'],
  ...[
    'Vm.close',
    'DiskData.flush',
    'DiskData.pager',
    'DiskData.close',
    'VmKeeper.close',
    'VmPool.close',
    'ExportMap.close',
  ],
];

let before: string[];
const everything = async (): Promise<string[]> =>
  (await readdir(folder.path, { recursive: true })).filter((name) => !/^state\b|\.lock$/.test(name)).sort();

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['a', 'off'])
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, `${name}.qcow2`), '4M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: join(folder.path, 'a.qcow2') }] });
  await daemon.exportWritable('a');
  await daemon.guestIo('a', 'write -P 1 0 1M');
  monitor = await listenSilently(qmp());
  nbd = await listenSilently(join(folder.path, 'silent-nbd.sock'));
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath, scratchFolder: folder.path });
  await vm.enable();
  before = await everything();
  session = await vm.begin({ scratch: { folder: folder.path } });
  shown = await session.openDisk('a');
  data = await session.openData('a');
  disk = await vm.openDisk('a');
  map = await disk.changes({ from: '*', kinds: true });
  daemon.process.child.kill('SIGSTOP');
});
afterAll(async () => {
  daemon?.process.child.kill('SIGCONT');
  await daemon?.[Symbol.asyncDispose]();
  await monitor?.[Symbol.asyncDispose]();
  await nbd?.[Symbol.asyncDispose]();
  await folder?.remove();
});

test('the table has every function, and every method of what they give', async () => {
  await using keeper = keepVm({ address: qmp() });
  await using pool = createPool({ vms: {} });
  const methods = [
    ...methodsOf('Inventory', inventory()),
    ...methodsOf('HostVm', await hostVm()),
    ...methodsOf('VmPool', pool),
    ...methodsOf('VmKeeper', keeper),
    ...methodsOf('Vm', vm),
    ...methodsOf('Session', session),
    ...methodsOf('TrackedDisk', disk),
    ...methodsOf('ChangeMap', map),
    ...methodsOf('DiskData', data),
    ...methodsOf('Diff', session.diff('a', { from: '*' })),
  ];
  const functions = Object.entries(main).flatMap(([name, one]) => (typeof one === 'function' ? [name] : []));
  const known = [silent, local, ending].flatMap((rows) => Object.keys(rows)).concat(AT_ONCE);
  expect([...functions, ...methods].filter((name) => !known.includes(name))).toEqual([]);
});

describe.each(Object.entries({ ...silent, ...local }))('%s', (_, call) => {
  test('begins nothing for a signal that fired, and refuses what is no signal and no time', async () => {
    expect(await refusalOf(call({ signal: AbortSignal.abort() }))).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    const controller = new AbortController() as unknown as AbortSignal;
    for (const odd of [{ signal: controller }, { timeoutMs: 0 }, { timeoutMs: Number.NaN }, { timeout: 1 }])
      expect(await refusalOf(call(odd as CallOptions))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });
});

describe.each(Object.entries(silent))('%s, where nobody answers', (_, call) => {
  test('is late by its own time, and ends with its signal', async () => {
    const startedAt = performance.now();
    expect(await refusalOf(call({ timeoutMs: 100 }))).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
    const stop = new AbortController();
    const called = refusalOf(call({ signal: stop.signal, timeoutMs: 60_000 }));
    setTimeout(() => stop.abort(), 100);
    expect(await called).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    // Far less than any wait of the library's own.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

test('a mending of what was left takes them too', async () => {
  const { run } = mending('it', wait);
  expect(await refusalOf(run({ timeoutMs: 20 }))).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
  expect(await refusalOf(run({ signal: AbortSignal.abort() }))).toMatchObject({ code: 'ERR_CBT_ABORTED' });
});

test('an end that nobody waited for is finished later, and nothing is left of all that', async () => {
  await eventually(() => expect([monitor.clients.size, nbd.clients.size]).toEqual([0, 0]));
  expect(await refusalOf(session.rollback({ signal: AbortSignal.abort() }))).toMatchObject({
    code: 'ERR_CBT_ABORTED',
  });
  expect(await refusalOf(shown.pits({ timeoutMs: 100 }))).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
  for (const call of Object.values(ending))
    expect(await refusalOf(call({ timeoutMs: 100 }))).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
  daemon.process.child.kill('SIGCONT');
  await session.rollback();
  await disk.close();
  expect(await everything()).toEqual(before);
  expect(await main.findVmLeftovers(daemon.process.qmpPath, { scratchFolder: folder.path })).toEqual([]);
  await using left = await vm.openDisk('a');
  expect((await left.pits()).pits).toHaveLength(1);
  await vm.close();
});
