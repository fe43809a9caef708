/**
 * The process of ours that outlives a hard kill: within seconds the session is rolled back, nothing of it is left in QEMU or on
 * the disk, and the guest runs. Ended in order, it does nothing and is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { freshBuild, startCommand } from '../../../../helpers/builtCommand.js';
import { eventually } from '../../../../helpers/eventually.js';
import { FakeGuestAgent } from '../../../../helpers/fakeGuestAgent.js';
import { guardsBelow } from '../../../../helpers/guards.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

const MiB = 2 ** 20;
/** A guest is thawed, and a session rolled back, within this. */
const SOON_MS = 12_000;

let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let image: string;
let daemon: StorageDaemon;
beforeEach(async () => {
  await freshBuild();
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  await daemon.guestIo('a', 'write -P 1 0 40M');
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
  await scratch.remove();
});

/** Folders in which something is: killed right after it was made, an empty one stays until the next session finds it. */
async function folders(): Promise<string[]> {
  const names = await readdir(scratch.path);
  const all = await Promise.all(names.map((name) => readdir(join(scratch.path, name)).catch(() => [])));
  return all.flat().filter((name) => name !== 'owner.lock');
}

/** What of sessions is in QEMU, in the folder for their files, and running. */
async function left(): Promise<string[]> {
  const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
    'node-name': string;
  }[];
  const jobs = (await daemon.process.control.execute('query-jobs')) as { id: string }[];
  const names = [...nodes.map((node) => node['node-name']), ...jobs.map(({ id }) => id)];
  return [
    ...names.filter((name) => name.startsWith('cbt')),
    ...(await folders()),
    ...(await guards()).map(String),
  ];
}

const guards = (): Promise<number[]> => guardsBelow(scratch.path);

async function begun(): Promise<void> {
  await eventually(async () => {
    const jobs = (await daemon.process.control.execute('query-block-exports')) as { id: string }[];
    expect(jobs.some(({ id }) => id.startsWith('cbte'))).toBe(true);
  });
}

async function points(): Promise<number> {
  await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  await using disk = await vm.openDisk('a');
  return (await disk.pits()).pits.length;
}

async function expectCleanSoon(since: number): Promise<void> {
  await eventually(async () => expect(await left()).toEqual([]));
  expect(Date.now() - since).toBeLessThan(SOON_MS);
}

const backup = (...more: string[]) =>
  startCommand(
    [
      'backup',
      '--vm',
      daemon.process.qmpPath,
      '--nbd-socket',
      daemon.nbdPath,
      '--scratch',
      scratch.path,
      '--to',
      join(folder.path, 'F'),
      ...more,
    ],
    { detached: true },
  );

describe('a backup that is killed', () => {
  test.each([
    ['at once', 0],
    ['a moment later', 30],
    ['while it copies', null],
  ])('%s: rolled back within seconds, nothing is left, and the next one runs', async (_, moment) => {
    for (let round = 0; round < (moment === null ? 1 : 4); round += 1) {
      const { child, done } = await backup('--rate', '5M');
      if (moment === null) await begun();
      else {
        await eventually(async () => expect(await readdir(scratch.path)).not.toEqual([]));
        await delay(moment * round);
      }
      // The guest runs on, and overwrites.
      if (moment === null) await daemon.guestIo('a', 'write -P 2 1M 1M');
      const since = Date.now();
      child.kill('SIGKILL');
      expect(await done).toMatchObject({ signal: 'SIGKILL' });
      await expectCleanSoon(since);
      expect(await points()).toBe(0);
      await daemon.guestIo('a', 'write -P 3 2M 1M', 'flush');
      await rm(scratch.path, { recursive: true });
      await mkdir(scratch.path);
    }
    const next = await backup();
    expect(await next.done).toMatchObject({ code: 0, stderr: '' });
    expect(await points()).toBe(1);
  });

  test('signals that end a whole service do not end the guard: it goes when its work is done', async () => {
    const { child, done } = await backup('--rate', '5M');
    await begun();
    const [guard] = await guards();
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const)
      process.kill(Number(guard), signal);
    expect(await guards()).toEqual([guard]);
    const since = Date.now();
    child.kill('SIGKILL');
    await done;
    await expectCleanSoon(since);
  });
});

test('a run that ends in order leaves no guard and is not held up by it; a guard that was killed is missed by nobody', async () => {
  const first = await backup();
  expect(await first.done).toMatchObject({ code: 0, stderr: '' });
  await eventually(async () => expect(await left()).toEqual([]));
  const second = await backup('--full', '--rate', '20M');
  await begun();
  for (const guard of await guards()) process.kill(Number(guard), 'SIGKILL');
  expect(await second.done).toMatchObject({ code: 0, stderr: '' });
  await eventually(async () => expect(await left()).toEqual([]));
});

/** A program that uses the library as it is installed, with a session open. */
async function program(begin: string): Promise<ChildProcess> {
  const library = resolve(import.meta.dirname, '../../../../../dist/index.js');
  const text = `
    const { connectVm } = await import(${JSON.stringify(library)});
    const vm = await connectVm(${JSON.stringify(daemon.process.qmpPath)}, { nbdSocket: ${JSON.stringify(daemon.nbdPath)} });
    const session = await vm.begin({ scratch: { folder: ${JSON.stringify(scratch.path)} }, ${begin} });
    console.log(session.pit);
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as Readable, 'data');
  return child;
}

describe('a program that uses the library', () => {
  test.each(['fleece', 'overlay'])(
    'killed with a session open in %s mode: rolled back, what the guest wrote is in the image',
    async (mode) => {
      const child = await program(`mode: '${mode}'`);
      await daemon.guestIo('a', 'write -P 7 1M 1M', 'flush');
      const since = Date.now();
      child.kill('SIGKILL');
      await expectCleanSoon(since);
      expect(await points()).toBe(0);
      await daemon.process.terminate();
      const raw = join(folder.path, 'a.raw');
      await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
      const bytes = await readFile(raw);
      expect(bytes.subarray(MiB, 2 * MiB).every((byte) => byte === 7)).toBe(true);
    },
  );

  test('killed with QEMU at once: the guard gives up, and doctor finds the session', async () => {
    const child = await program(`mode: 'overlay'`);
    await daemon.process.kill();
    child.kill('SIGKILL');
    await eventually(async () => expect(await guards()).toEqual([]));
    expect(await readdir(scratch.path)).toHaveLength(1);
    await using disk = await openDisk(image);
    expect(await disk.pits()).toBeDefined();
  });

  test('whose guard finds the monitor taken leaves the session to whoever has it', async () => {
    const child = await program('');
    // Queued behind the program: it has the monitor as soon as that is gone.
    const next = connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    await delay(100);
    child.kill('SIGKILL');
    await using vm = await next;
    const session = await vm.begin({ scratch: { folder: scratch.path }, nbdSocket: daemon.nbdPath });
    await session.rollback();
    await eventually(async () => expect(await left()).toEqual([]));
  });
});

describe('a guest that is frozen when its backup is killed', () => {
  test.each(['SIGKILL', 'SIGHUP'] as const)('%s: thawed within seconds', async (signal) => {
    await using agent = await FakeGuestAgent.start();
    agent.on('guest-fsfreeze-freeze', async (command) => {
      const answer = agent.answer(command);
      await delay(1_000);
      return answer;
    });
    const { child, done } = await backup('--quiesce', '--agent', agent.path);
    await eventually(() => expect(agent.frozen).toBe(true));
    const since = Date.now();
    child.kill(signal);
    await done;
    await eventually(() => expect(agent.frozen).toBe(false));
    expect(Date.now() - since).toBeLessThan(SOON_MS);
    await expectCleanSoon(since);
    expect(await points()).toBe(0);
    agent.off('guest-fsfreeze-freeze');
    expect(await (await backup('--quiesce', '--agent', agent.path)).done).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  test('also when another program has the monitor, and by the guard alone', async () => {
    await using agent = await FakeGuestAgent.start();
    agent.on('guest-fsfreeze-freeze', async (command) => {
      const answer = agent.answer(command);
      await delay(1_000);
      return answer;
    });
    const { child, done } = await backup('--quiesce', '--agent', agent.path);
    await eventually(() => expect(agent.frozen).toBe(true));
    const next = connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    await delay(100);
    child.kill('SIGKILL');
    await done;
    await using vm = await next;
    await eventually(() => expect(agent.frozen).toBe(false));
    await vm.close();
    await eventually(async () => expect(await left()).toEqual([]));
  });
});

test('a session that outlives its command is ended before its files outgrow their limit, and the guest writes on', async () => {
  const begin = await startCommand(
    [
      'begin',
      '--vm',
      daemon.process.qmpPath,
      '--nbd-socket',
      daemon.nbdPath,
      '--scratch',
      scratch.path,
      '--scratch-limit',
      String(8 * MiB),
    ],
    { detached: true },
  );
  expect(await begin.done).toMatchObject({ code: 0, stderr: '' });
  expect(await guards()).toHaveLength(1);
  await daemon.guestIo('a', 'write -P 2 0 4M');
  await delay(500);
  expect((await left()).length).toBeGreaterThan(1);
  await daemon.guestIo('a', 'write -P 2 4M 12M', 'flush');
  await eventually(async () => expect(await left()).toEqual([]));
  expect(await points()).toBe(0);
  await daemon.guestIo('a', 'write -P 3 0 40M', 'flush');
});

test('where nobody is to watch, the session stays until somebody ends it', async () => {
  const argv = ['begin', '--vm', daemon.process.qmpPath, '--nbd-socket', daemon.nbdPath];
  const space = ['--scratch', scratch.path, '--scratch-limit', String(8 * MiB), '--scratch-unwatched'];
  expect((await (await startCommand([...argv, ...space, '--json'])).done).code).toBe(0);
  await eventually(async () => expect(await guards()).toEqual([]));
  expect(await points()).toBe(1);
});

test('the guard of a session that was ended by another command is gone', async () => {
  const options = ['--vm', daemon.process.qmpPath];
  const begin = await startCommand([
    'begin',
    ...options,
    '--nbd-socket',
    daemon.nbdPath,
    '--scratch',
    scratch.path,
    '--scratch-limit',
    String(32 * MiB),
    '--json',
  ]);
  const { stdout } = await begin.done;
  expect(await guards()).toHaveLength(1);
  const { session } = JSON.parse(stdout) as { session: string };
  expect(await (await startCommand(['commit', ...options, '--session', session])).done).toMatchObject({
    code: 0,
  });
  await eventually(async () => expect(await left()).toEqual([]));
  expect(await points()).toBe(1);
});
