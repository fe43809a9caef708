/**
 * A session that nobody ended, and another disk in the place of its image meanwhile: the image may come back with the session's point in
 * time as its newest, so the record stays until that is taken off.
 */
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readLease, writeLease } from '../../../../../lib/backend/qemu/own/lease.js';
import type { Session } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { cli } from '../../../../helpers/cli.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
let image: string;
let away: string;
let older: string;
let first: string;
let open: string;

const begin = (vm: Vm, daemon: StorageDaemon): Promise<Session> =>
  vm.begin({ nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });
const folders = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => name.startsWith('cbt-'));

/** Runs the VM on what lies at the image's path, and shuts it down in order. */
async function whileItRuns<T>(work: (vm: Vm, daemon: StorageDaemon) => Promise<T>): Promise<T> {
  const disks = [{ node: 'a', file: image }];
  await using daemon = await StorageDaemon.start({ folder: join(folder.path, 'vm'), disks });
  await daemon.exportWritable('a');
  await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  const done = await work(vm, daemon);
  await daemon.process.terminate();
  return done;
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'a.qcow2');
  await mkdir(join(folder.path, 'vm'));
  away = join(folder.path, 'away.qcow2');
  older = join(folder.path, 'older.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
  // Shut down in the middle of a session: its point is in the image, and nobody has a backup of it.
  await whileItRuns(async (vm, daemon) => {
    const session = await begin(vm, daemon);
    await session.commit();
    first = session.pit;
  });
  await copyFile(image, older);
  await whileItRuns(async (vm, daemon) => {
    await daemon.guestIo('a', 'write -P 1 1M 1M');
    open = (await begin(vm, daemon)).pit;
    await daemon.guestIo('a', 'write -P 2 2M 1M');
  });
  await rename(image, away);
  expect(await folders()).toHaveLength(1);
});
afterEach(async () => {
  await folder.remove();
});

/** What lies at the path of the image meanwhile. */
const others = [
  [
    'of another history',
    async () => {
      await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
      expect((await cli('enable', image, '--json')).code).toBe(0);
    },
  ],
  ['an older copy of itself', () => copyFile(older, image)],
] as const;

/** The image is put back: the next session builds on the point that was committed, and misses nothing. */
async function expectNothingMissing(): Promise<void> {
  await rename(away, image);
  await whileItRuns(async (vm, daemon) => {
    const next = await begin(vm, daemon);
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first }]);
    await using disk = await next.openDisk('a');
    expect(Array.from(await (await disk.changes({ from: first })).ranges())).toEqual([MiB, 2 * MiB]);
    await next.commit();
  });
  expect(await folders()).toEqual([]);
}

describe.each(others)('%s', (_, put) => {
  beforeEach(async () => {
    await put();
  });

  test('a session is begun on it', async () => {
    await whileItRuns(async (vm, daemon) => {
      await (await begin(vm, daemon)).commit();
    });
    expect(await folders()).toHaveLength(1);
    await expectNothingMissing();
  });

  test('doctor --fix says what to do, and takes away what only the QEMU that ended had a use for', async () => {
    const seen = await cli('doctor', image, '--fix');
    expect(seen).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('another disk lies in its place'),
    });
    const [record = '', ...more] = await folders();
    expect(more).toEqual([]);
    expect(await readdir(join(folder.path, record))).toEqual(['owner.lock', 'session.json']);
    expect(await cli('doctor', image)).toMatchObject({ code: 0 });
    await expectNothingMissing();
  });

  test('doctor --fix of the VM that runs on it says so too, and is done', async () => {
    await whileItRuns(async (_, daemon) => {
      const seen = await cli('doctor', `qmp:${daemon.process.qmpPath}`, '--scratch', folder.path, '--fix');
      expect(seen).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('another disk lies in its place'),
      });
      expect(seen.stdout).not.toContain('fixed');
    });
    await expectNothingMissing();
  });

  test('a session at rest on the image, wherever it was put, does not build on the point', async () => {
    const begun = await cli('begin', away, '--json');
    expect(JSON.parse(begun.stdout).disks).toMatchObject([{ verdict: 'incremental', base: first }]);
  });

  test('with the image back, doctor --fix takes the point off', async () => {
    await cli('doctor', image, '--fix');
    await rename(away, image);
    expect(await cli('doctor', image, '--fix')).toMatchObject({ code: 0 });
    expect(await folders()).toEqual([]);
    await using disk = await openDisk(image);
    const { pits } = await disk.pits();
    expect(pits.map(({ pit }) => pit)).toEqual([first]);
    expect(open).not.toBe(first);
  });
});

describe('the very file, with a new history', () => {
  beforeEach(async () => {
    await rename(away, image);
    // As after a crash, a full backup, or by hand.
    expect((await cli('reset', image)).code).toBe(0);
  });

  test('a session begun on it ends the record', async () => {
    await whileItRuns(async (vm, daemon) => {
      await (await begin(vm, daemon)).commit();
    });
    expect(await folders()).toEqual([]);
  });

  test('doctor --fix ends the record, off', async () => {
    expect(await cli('doctor', image, '--fix')).toMatchObject({ code: 0 });
    expect(await folders()).toEqual([]);
  });

  test('doctor --fix ends the record, on', async () => {
    await whileItRuns(async (_, daemon) => {
      const seen = await cli('doctor', `qmp:${daemon.process.qmpPath}`, '--scratch', folder.path, '--fix');
      expect(seen).toMatchObject({ code: 0 });
    });
    expect(await folders()).toEqual([]);
  });
});

describe('images that exchanged their names, with new histories', () => {
  const run = (path: string): string => join(folder.path, path);
  beforeEach(async () => {
    await Promise.all((await folders()).map((name) => rm(run(name), { recursive: true })));
    const disks = ['c', 'd'].map((node) => ({ node, file: run(node) }));
    for (const { file } of disks) await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
    await using daemon = await StorageDaemon.start({ folder: run('vm'), disks });
    await daemon.exportWritable('c', 'd');
    await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    await begin(vm, daemon);
    await daemon.process.terminate();
    expect((await cli('reset', run('c'), run('d'))).code).toBe(0);
    await rename(run('c'), run('e'));
    await rename(run('d'), run('c'));
    await rename(run('e'), run('d'));
    expect(await folders()).toHaveLength(1);
  });

  test('doctor --fix ends the record, off', async () => {
    expect(await cli('doctor', run('c'), '--fix')).toMatchObject({ code: 0 });
    expect(await folders()).toEqual([]);
  });

  test('doctor --fix ends the record, on', async () => {
    const disks = ['c', 'd'].map((node) => ({ node, file: run(node) }));
    await using daemon = await StorageDaemon.start({ folder: run('vm'), disks });
    const seen = await cli('doctor', `qmp:${daemon.process.qmpPath}`, '--scratch', folder.path, '--fix');
    expect(seen).toMatchObject({ code: 0 });
    expect(await folders()).toEqual([]);
  });
});

test('the one gone, the other under its name, an older copy under that one’s: each file loses the point, when it is seen', async () => {
  const run = (path: string): string => join(folder.path, path);
  await Promise.all((await folders()).map((name) => rm(run(name), { recursive: true })));
  const disks = ['c', 'd'].map((node) => ({ node, file: run(node) }));
  for (const { file } of disks) await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  const during = async (commit: boolean): Promise<string> => {
    await using daemon = await StorageDaemon.start({ folder: run('vm'), disks });
    await daemon.exportWritable('c', 'd');
    await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    const session = await begin(vm, daemon);
    if (commit) await session.commit();
    await daemon.process.terminate();
    return session.pit;
  };
  const committed = await during(true);
  await copyFile(run('d'), run('older d'));
  await during(false);
  await rename(run('c'), run('away'));
  await rename(run('d'), run('c'));
  await rename(run('older d'), run('d'));

  const pitsOf = async (path: string): Promise<string[]> => {
    await using disk = await openDisk(run(path));
    return (await disk.pits()).pits.map(({ pit }) => pit);
  };
  await cli('doctor', run('c'), '--fix');
  expect(await folders()).toHaveLength(1);
  expect(await pitsOf('c')).toEqual([committed]);
  await rename(run('c'), run('d'));
  await rename(run('away'), run('c'));
  expect(await cli('doctor', run('c'), '--fix')).toMatchObject({ code: 0 });
  expect(await folders()).toEqual([]);
  expect(await pitsOf('c')).toEqual([committed]);
  expect(await pitsOf('d')).toEqual([committed]);
});

test('the record of a session that another machine may keep stays, and the next session does not build on its point', async () => {
  await rename(away, image);
  const [name = ''] = await folders();
  const record = join(folder.path, name);
  const lease = await readLease(record);
  if (lease === null) throw new Error('no record');
  await writeLease(record, { ...lease, machine: { host: 'elsewhere', bootId: 'another' } });
  await whileItRuns(async (vm, daemon) => {
    const next = await begin(vm, daemon);
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first }]);
    await using disk = await next.openDisk('a');
    expect(Array.from(await (await disk.changes({ from: first })).ranges())).toEqual([MiB, 2 * MiB]);
    await next.commit();
  });
  expect(await folders()).toEqual([name]);
});
