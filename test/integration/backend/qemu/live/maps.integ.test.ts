/** Questions to a running QEMU: the same answers as its image file gives after a clean stop. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Vm } from '../../../../../lib/core/vm.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
const image = (name: string): string => join(folder.path, `${name}.qcow2`);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', image('a'), '64M');
  daemon = await StorageDaemon.start({
    disks: [{ node: 'a', file: image('a'), options: { discard: 'unmap' } }],
  });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const ranges = async (
  disk: { changes(o: object): Promise<{ ranges(): Promise<Float64Array> }> },
  o: object,
) => Array.from(await (await disk.changes(o)).ranges());

async function pit(): Promise<string> {
  const session = await vm.begin({ scratch: { folder: folder.path }, nbdSocket: daemon.nbdPath });
  await session.commit();
  return session.pit;
}

/** What of ours is in QEMU. */
async function leftovers(): Promise<string[]> {
  const { control } = daemon.process;
  const nodes = (await control.execute('query-named-block-nodes')) as { 'node-name': string }[];
  const exports = (await control.execute('query-block-exports')) as { id: string }[];
  return [...nodes.map((n) => n['node-name']), ...exports.map((e) => e.id)].filter((n) =>
    n.startsWith('cbt'),
  );
}

describe('a disk of a running QEMU', () => {
  test('answers from QEMU’s own count where nothing was written, until a merge brings more', async () => {
    const one = (await vm.enable()).pit!;
    const two = await pit();
    await daemon.guestIo('a', 'write -P 1 4M 64k');
    const three = await pit();
    await using disk = await vm.openDisk('a');
    const told: string[] = [];
    const hear = (message: unknown): void => void told.push((message as { operation: string }).operation);
    subscribe('tracing:qemu-cbt:qmp:start', hear);
    try {
      expect(await ranges(disk, { from: one, to: two })).toEqual([]);
      expect(told).not.toContain('block-export-add');
      expect(await ranges(disk, { from: one, to: three })).toEqual([4 << 20, 64 << 10]);
      expect(told).toContain('block-export-add');
    } finally {
      unsubscribe('tracing:qemu-cbt:qmp:start', hear);
    }
    const before = await disk.changes({ from: one, to: two });
    await vm.forget(two);
    // A map of that moment; who asks now is told of what the segment has now.
    expect(Array.from(await before.ranges())).toEqual([]);
    expect(await ranges(disk, { from: one, to: three })).toEqual([4 << 20, 64 << 10]);
    expect(await leftovers()).toEqual([]);
  });

  test('tells what changed between points and up to now, and leaves nothing in QEMU', async () => {
    await daemon.guestIo('a', 'write -P 1 0 1M');
    const one = (await vm.enable()).pit!;
    await daemon.guestIo('a', 'write -P 2 4M 128k');
    const two = await pit();
    await daemon.guestIo('a', 'write -P 3 8M 64k', 'write -z 12M 64k', 'discard 0 64k');
    const expected = {
      between: [4 << 20, 128 << 10],
      now: [0, 65536, 8 << 20, 65536, 12 << 20, 65536],
      all: [0, 65536, 4 << 20, 128 << 10, 8 << 20, 65536, 12 << 20, 65536],
    };
    {
      await using disk = await vm.openDisk('a');
      expect(await ranges(disk, { from: one, to: two })).toEqual(expected.between);
      expect(await ranges(disk, { from: two })).toEqual(expected.now);
      expect(await ranges(disk, { from: one })).toEqual(expected.all);
      const map = await disk.changes({ from: one, to: two });
      // Read twice: a map between two points comes back when it is asked again.
      expect(await map.changedBytes()).toBe(128 << 10);
      expect(Array.from(await map.ranges())).toEqual(expected.between);
      expect((await disk.changes({ from: two })).warnings.join()).toContain('is in use');
      const data = await ranges(disk, { from: '*' });
      expect(data).toEqual([65536, (1 << 20) - 65536, 4 << 20, 128 << 10, 8 << 20, 65536]);
      const list = await disk.pits();
      expect(list.pits.map(({ pit, changedBytes }) => [pit, changedBytes])).toEqual([
        [one, 128 << 10],
        [two, 3 << 16],
      ]);
    }
    expect(await leftovers()).toEqual([]);
    await vm.close();
    await daemon.process.control.execute('quit');
    await daemon.process.ended;
    await using disk = await openDisk(image('a'));
    expect(await ranges(disk, { from: one, to: two })).toEqual(expected.between);
    expect(await ranges(disk, { from: two })).toEqual(expected.now);
    expect(await ranges(disk, { from: one })).toEqual(expected.all);
  });

  test('in a session, tells what changed and what held data at its instant', async () => {
    await daemon.guestIo('a', 'write -P 1 0 1M');
    const one = (await vm.enable()).pit!;
    await daemon.guestIo('a', 'write -P 2 4M 128k');
    const session = await vm.begin({ scratch: { folder: folder.path }, nbdSocket: daemon.nbdPath });
    await daemon.guestIo('a', 'write -P 9 32M 1M', 'discard 0 1M');
    await expect(session.openDisk('z')).rejects.toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    const disk = await session.openDisk(image('a'));
    const map = await disk.changes({ from: one });
    expect(map).toMatchObject({ from: one, to: session.pit, warnings: [] });
    expect(Array.from(await map.ranges())).toEqual([4 << 20, 128 << 10]);
    expect(await ranges(disk, { from: '*' })).toEqual([0, 1 << 20, 4 << 20, 128 << 10]);
    expect(Array.from(await (await disk.allocated()).ranges())).toEqual([0, 1 << 20, 4 << 20, 128 << 10]);
    await session.commit();
    await expect(disk.changes({ from: one })).rejects.toMatchObject({ code: 'ERR_CBT_CLOSED' });
    expect(await leftovers()).toEqual([]);
  });

  test('is found through qmp:<socket>#<disk>, with a server of its own while it is asked', async () => {
    const own = await StorageDaemon.start({ disks: [{ node: 'b', file: await copyOf('b') }] });
    // What lies in the folder for temporary files may be of another test that asks at the same time.
    vi.stubEnv('TMPDIR', folder.path);
    try {
      const name = `qmp:${own.process.file('qmp.sock')}#b`;
      const pits = await connectVm(own.process.file('qmp.sock'));
      const first = (await pits.enable()).pit!;
      await pits.close();
      {
        await using disk = await openDisk(name);
        expect(disk.disk).toBe('b');
        expect(await ranges(disk, { from: first })).toEqual([]);
        expect(await ranges(disk, { from: '*' })).toEqual([]);
      }
      // The server is gone: another can be started.
      const { control } = own.process;
      const addr = { type: 'unix', data: { path: own.nbdPath } };
      await control.execute('nbd-server-start', { addr });
      await using disk = await openDisk(name);
      await expect(disk.changes({ from: first })).rejects.toMatchObject({ reason: 'BUSY', disk: 'b' });
      await using named = await openDisk(name, { nbdSocket: own.nbdPath });
      expect(await ranges(named, { from: first })).toEqual([]);
      expect((await readdir(folder.path)).filter((f) => f.startsWith('cbt-'))).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      await own[Symbol.asyncDispose]();
    }
  });

  test('many questions at once are answered apart', async () => {
    const pit = String((await vm.enable()).pit);
    await daemon.guestIo('a', 'write 4M 64k');
    const disks = await Promise.all(Array.from({ length: 8 }, () => vm.openDisk('a')));
    const answers = await Promise.all(disks.map((disk) => ranges(disk, { from: pit })));
    for (const answer of answers) expect(answer).toEqual([4 << 20, 65536]);
    for (const disk of disks) await disk.close();
    expect(await leftovers()).toEqual([]);
  });

  test('a point that is unknown, and a disk that is not there, are said', async () => {
    await vm.enable();
    await using disk = await vm.openDisk('a');
    await expect(disk.changes({ from: '00000000-0000-4000-8000-000000000000' })).rejects.toMatchObject({
      code: 'ERR_CBT_UNKNOWN_PIT',
      disk: 'a',
    });
    await expect(vm.openDisk('z')).rejects.toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });
});

async function copyOf(name: string): Promise<string> {
  await qemuImg('create', '-q', '-f', 'qcow2', image(name), '64M');
  return image(name);
}
