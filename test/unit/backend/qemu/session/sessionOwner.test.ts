/** Who looks after a session: the kernel's lock decides, whatever number or host name the record says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { makeMarkedFolder } from '../../../../../lib/backend/qemu/own/folderMark.js';
import type { Lease } from '../../../../../lib/backend/qemu/own/lease.js';
import {
  findSessionFolders,
  findUnclearFolders,
  isOver,
} from '../../../../../lib/backend/qemu/session/leftFolders.js';
import {
  holdSession,
  keeperOf,
  letGoOfSession,
  OWNER_NAME,
  takingOver,
} from '../../../../../lib/backend/qemu/session/owner.js';
import { isHeld } from '../../../../../lib/linux/kernelLock.js';
import { thisMachine } from '../../../../../lib/linux/machine.js';
import { writeRecord } from '../../../../../lib/linux/record.js';
import { eventually } from '../../../../helpers/eventually.js';
import { withFolder } from '../../../../helpers/qemuTools.js';

vi.mock('node:fs/promises', { spy: true });
afterEach(() => {
  vi.mocked(fs.statfs).mockRestore();
});

async function leaseOf(news: Partial<Lease> = {}): Promise<Lease> {
  return {
    version: 1,
    session: '00000000-0000-4000-8000-000000000001',
    vm: '/vm.qmp',
    machine: await thisMachine(),
    mode: 'fleece',
    // No process has it: above the kernel's largest.
    owner: { pid: 4_200_000 },
    created: 'now',
    taken: true,
    nbdSocket: '/nbd.sock',
    ownServer: true,
    warnings: [],
    disks: [],
    ...news,
  };
}

/** Another process that holds the session, in a PID namespace where every number is another. */
async function otherProcess(folder: string): Promise<() => void> {
  const argv = [
    '--pid',
    '--fork',
    '--kill-child',
    'flock',
    join(folder, OWNER_NAME),
    '-c',
    'echo; exec sleep 600',
  ];
  const child = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout as Readable, 'data');
  return () => child.kill('SIGKILL');
}

const elsewhere = { host: 'other', bootId: 'b', machineId: 'm' };

describe('the keeper of a session', () => {
  test('is alive while the lock is held, though no process has the number in the record; then it is dead', () =>
    withFolder(async (folder) => {
      const lease = await leaseOf();
      const kill = await otherProcess(folder);
      expect(await keeperOf(folder, lease)).toBe('alive');
      expect(await isOver({ folder, lease })).toBe(false);
      // Although its number seems to say that it is gone.
      const work = vi.fn(async () => 'taken');
      expect(await takingOver(folder, lease, work)).toBeNull();
      expect(work).not.toHaveBeenCalled();
      kill();
      await eventually(async () => expect(await keeperOf(folder, lease)).toBe('dead'));
      expect(await isOver({ folder, lease })).toBe(true);
      expect(await takingOver(folder, lease, work)).toBe('taken');
    }));

  test('is dead when nobody holds the lock, though the number is that of a process that runs', () =>
    withFolder(async (folder) => {
      await fs.writeFile(join(folder, OWNER_NAME), '');
      expect(await keeperOf(folder, await leaseOf({ owner: { pid: process.ppid } }))).toBe('dead');
    }));

  test('is nobody by design, whatever the lock', () =>
    withFolder(async (folder) => {
      expect(await keeperOf(folder, await leaseOf({ owner: null }))).toBe('detached');
    }));

  test('is unknown where the lock is gone, and where another machine’s lock cannot be seen', () =>
    withFolder(async (folder) => {
      expect(await keeperOf(folder, await leaseOf())).toBe('unknown');
      await fs.writeFile(join(folder, OWNER_NAME), '');
      const lease = await leaseOf({ machine: elsewhere });
      expect(await keeperOf(folder, lease)).toBe('dead');
      vi.mocked(fs.statfs).mockResolvedValue({ type: 0x65735546 } as unknown as Awaited<
        ReturnType<typeof fs.statfs>
      >);
      expect(await keeperOf(folder, lease)).toBe('unknown');
      expect(await isOver({ folder, lease })).toBeNull();
    }));

  test('a session of another machine’s QEMU is not over because it is not seen here', () =>
    withFolder(async (folder) => {
      await fs.writeFile(join(folder, OWNER_NAME), '');
      expect(await isOver({ folder, lease: await leaseOf({ machine: elsewhere, owner: null }) })).toBeNull();
      // A host name alone makes no machine.
      const { host } = await thisMachine();
      const lease = await leaseOf({ machine: { ...elsewhere, host }, owner: null });
      expect(await isOver({ folder, lease })).toBeNull();
    }));

  test('this process: its own session is alive, and nobody’s once it let go', () =>
    withFolder(async (folder) => {
      const lease = await leaseOf({ owner: { pid: process.pid } });
      await holdSession(folder, lease.session);
      expect(await keeperOf(folder, lease)).toBe('alive');
      expect(await takingOver(folder, lease, async () => 'taken')).toBeNull();
      await letGoOfSession(lease.session);
      // Its guard ends when it hears of it.
      await eventually(async () => expect(await keeperOf(folder, lease)).toBe('dead'));
      expect(await takingOver(folder, lease, async () => 'taken')).toBe('taken');
    }));
});

test('an old folder without a record goes, unless a session is just being begun in it', () =>
  withFolder(async (parent) => {
    const folder = join(parent, 'cbt-AAAAAA');
    await fs.mkdir(folder, { mode: 0o700 });
    await holdSession(folder, 'x');
    const old = new Date(0);
    await fs.utimes(folder, old, old);
    expect(await findSessionFolders([parent])).toEqual([]);
    expect(await fs.readdir(parent)).toEqual(['cbt-AAAAAA']);
    // Cut off while its record was written for the first time.
    await fs.writeFile(join(folder, 'session.json'), '');
    await fs.utimes(folder, old, old);
    await letGoOfSession('x');
    await eventually(async () => expect(await isHeld(join(folder, OWNER_NAME))).toBe(false));
    expect(await findSessionFolders([parent])).toEqual([]);
    expect(await fs.readdir(parent)).toEqual([]);
  }));

describe('an old folder that is named as ours are', () => {
  const old = new Date(0);
  const inFolder = (work: (folder: string, parent: string) => Promise<void>): Promise<void> =>
    withFolder(async (parent) => {
      const folder = await makeMarkedFolder(join(parent, 'cbt-'));
      await work(folder, parent);
    });

  test('goes when it is empty and was made by us, and stays when anybody may have made it', () =>
    inFolder(async (folder, parent) => {
      const theirs = join(parent, 'cbt-BBBBBB');
      await fs.mkdir(theirs, { mode: 0o700 });
      for (const one of [folder, theirs]) await fs.utimes(one, old, old);
      expect(await findSessionFolders([parent])).toEqual([]);
      expect(await fs.readdir(parent)).toEqual(['cbt-BBBBBB']);
    }));

  test('stays with a record that this version cannot read, and is told', () =>
    inFolder(async (folder, parent) => {
      await fs.writeFile(join(folder, OWNER_NAME), '');
      await writeRecord(join(folder, 'session.json'), JSON.stringify({ version: 99 }));
      await fs.utimes(folder, old, old);
      expect(await findSessionFolders([parent])).toEqual([]);
      expect((await fs.readdir(folder)).sort()).toEqual([OWNER_NAME, 'session.json']);
      expect(await findUnclearFolders([parent])).toEqual([
        { folder, trusted: true, overlays: [], record: true },
      ]);
    }));

  test('stays while its record cannot be looked at', () =>
    inFolder(async (folder, parent) => {
      await fs.writeFile(join(folder, OWNER_NAME), '');
      // Even root cannot open what a link leads to and back.
      await fs.symlink('session.json', join(folder, 'session.json'));
      await fs.utimes(folder, old, old);
      expect(await findSessionFolders([parent])).toEqual([]);
      expect((await fs.readdir(folder)).sort()).toEqual([OWNER_NAME, 'session.json']);
    }));
});
