/** Many VMs for a service: kept, made anew when they are lost, limited, and freed of what a run before this one left. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPool, keepVm, type VmStateEvent } from '../../../lib/index.js';
import { DoomedSessions } from '../../helpers/doomedSession.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusal, refusalOf } from '../../helpers/refusal.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let daemon: StorageDaemon;
const start = async (): Promise<void> => {
  const file = join(folder.path, 'a.qcow2');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }], folder: folder.path });
  await daemon.exportWritable('a');
};
const vm = () => ({
  address: daemon.process.file('qmp.sock'),
  nbdSocket: daemon.nbdPath,
  scratchFolder: folder.path,
});
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['a', 'off'])
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, `${name}.qcow2`), '4M');
  await start();
});
afterEach(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await folder?.remove();
});

test('a VM that is lost comes back by itself, and every change of it is told', async () => {
  const told: VmStateEvent[] = [];
  const off = { images: [join(folder.path, 'off.qcow2')] };
  await using pool = createPool({ vms: { a: vm(), off }, onState: (event) => told.push(event) });
  expect(pool.states()).toEqual([
    { vm: 'a', state: 'idle' },
    { vm: 'off', state: 'idle' },
  ]);
  expect(await pool.use('off', async ({ running }) => running)).toBe(false);
  const first = await pool.use('a', async (open) => open);
  expect(await pool.use('a', async (open) => open)).toBe(first);
  told.length = 0;
  await daemon.process.kill();
  await eventually(() =>
    expect(told.map(({ state }) => state)).toEqual(expect.arrayContaining(['lost', 'waiting'])),
  );
  expect(told[0]).toMatchObject({ vm: 'a', state: 'lost', error: { code: 'ERR_CBT_CONNECTION_LOST' } });
  expect(told[1]).toMatchObject({ state: 'waiting', delayMs: 500 });
  expect(Object.isFrozen(told[0])).toBe(true);
  expect(await refusalOf(pool.use('a', (open) => open.disks()))).toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    recovery: 'retry',
  });
  await start();
  // Nobody asks.
  await eventually(() => expect(pool.states()[0]).toEqual({ vm: 'a', state: 'connected' }));
  expect(await pool.use('a', async (open) => (await open.disks()).length)).toBe(1);
  await pool.close();
  expect(pool.states().map(({ state }) => state)).toEqual(['closed', 'closed']);
  expect(await refusalOf(pool.use('a', async () => 1))).toMatchObject({ code: 'ERR_CBT_CLOSED' });
});

test('no more than the limits goes on at a time; what is asked wrongly is refused before anything is begun', async () => {
  const off = { images: [join(folder.path, 'off.qcow2')], group: 'g' };
  await using pool = createPool({ vms: { a: { ...vm(), group: 'g' }, off }, limits: { group: 1 } });
  let now = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
  };
  await Promise.all(['a', 'off', 'a', 'off'].map((name) => pool.use(name, work)));
  expect(most).toBe(1);
  await pool.use('a', async () => {
    expect(await refusalOf(pool.use('off', work, { timeoutMs: 5 }))).toMatchObject({
      code: 'ERR_CBT_TIMEOUT',
      reason: 'BUSY',
    });
  });
  expect(await refusalOf(pool.use('b', work))).toMatchObject({ details: { argument: 'name' } });
  for (const [wrong, argument] of [
    [{ vms: { a: { address: '' } } }, 'vms["a"].address'],
    [{ vms: { a: { sock: 'x' } } }, 'vms["a"].sock'],
    [{ vms: {}, limits: { all: 0 } }, 'limits.all'],
    [{ vms: { a: vm() }, limit: {} }, 'limit'],
  ] as const)
    expect(await refusalOf(async () => createPool(wrong as never))).toMatchObject({ details: { argument } });
});

test('after a restart what a dead process left is ended, and what is somebody’s is told', async () => {
  await using doomed = await DoomedSessions.build();
  await using pool = createPool({ vms: { a: vm(), off: { images: [join(folder.path, 'off.qcow2')] } } });
  const from = await pool.use('a', async (open) => String((await open.enable()).pit));
  await pool.close();
  const { address: socket, nbdSocket, scratchFolder: scratch } = vm();
  expect(await doomed.run({ socket, nbdSocket, scratch, mode: 'fleece', from, dieOpen: true })).toBe(true);
  await using next = createPool({ vms: { a: vm(), off: { images: [join(folder.path, 'off.qcow2')] } } });
  expect(await next.recover()).toMatchObject([
    { vm: 'a', sessions: [{ became: 'ended' }] },
    { vm: 'off', sessions: [] },
  ]);
  await next.use('a', async (open) => {
    await using disk = await open.openDisk('a');
    expect((await disk.pits()).pits.map(({ pit }) => pit)).toEqual([from]);
  });
  // One that outlives its process is nobody's to end.
  const detached = { detached: true, allowUnwatchedScratch: true, scratch: { folder: folder.path } };
  const session = (await next.use('a', (open) => open.begin(detached))).pit;
  expect((await next.recover())[0]).toEqual({ vm: 'a', sessions: [{ session, became: 'kept' }] });
  await next.use('a', async (open) => (await open.resume(session)).rollback());
});

test('one VM by itself: kept, made anew when it is lost, off for one user at a time', async () => {
  const told: VmStateEvent[] = [];
  await using keeper = keepVm({ ...vm(), as: 'web', onState: (event) => told.push(event) });
  expect(keeper.state).toBe('idle');
  const [first, again] = await Promise.all([1, 2].map(() => keeper.use(async (open) => open)));
  expect(again).toBe(first);
  await daemon.process.kill();
  await eventually(() => expect(told.map(({ state }) => state)).toContain('waiting'));
  expect(told.every((event) => event.vm === 'web')).toBe(true);
  await start();
  await eventually(() => expect(keeper.state).toBe('connected'));
  expect(await keeper.use(async (open) => (await open.disks()).length)).toBe(1);
  await keeper.close({ timeoutMs: 60_000 });
  expect(await refusalOf(keeper.use(async () => 1))).toMatchObject({ code: 'ERR_CBT_CLOSED' });
  await using off = keepVm({ images: [join(folder.path, 'off.qcow2')] });
  const opened = await Promise.all([1, 2, 3].map(() => off.use(async (open) => [open, await open.disks()])));
  expect(new Set(opened.map(([open]) => open)).size).toBe(3);
  expect(off.state).toBe('off');
  const stopped = new AbortController();
  stopped.abort();
  expect(await refusalOf(off.use(async () => 1, { signal: stopped.signal }))).toMatchObject({
    code: 'ERR_CBT_ABORTED',
  });
  for (const odd of [{ vm: 1 }, { onState: 5 }, { address: '' }])
    expect(refusal(() => keepVm(odd as object))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
});
