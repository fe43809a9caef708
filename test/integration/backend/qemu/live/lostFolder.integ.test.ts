/** The folder of a session is removed under it, as cleaners of old files do: what QEMU alone knows is enough to end it. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tagOf } from '../../../../../lib/backend/qemu/own/ids.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { cli } from '../../../../helpers/cli.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let daemon: StorageDaemon;
let vm: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  const disks = ['a', 'b'].map((node) => ({ node, file: join(folder.path, `${node}.qcow2`) }));
  for (const { file } of disks) await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  daemon = await StorageDaemon.start({ disks });
  vm = daemon.process.qmpPath;
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  for (const place of [folder, scratch]) await place.remove();
});

async function json(...argv: string[]): Promise<Record<string, never>> {
  const { code, stdout, stderr } = await cli(...argv, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}
async function ids(): Promise<string[]> {
  const { control } = daemon.process;
  const nodes = (await control.execute('query-named-block-nodes')) as { 'node-name': string }[];
  const jobs = (await control.execute('query-jobs')) as { id: string }[];
  const exports = (await control.execute('query-block-exports')) as { id: string }[];
  const all = [...nodes.map((node) => node['node-name']), ...[...jobs, ...exports].map(({ id }) => id)];
  return all.filter((id) => id.startsWith('cbt'));
}

describe.each(['fleece', 'overlay'])('%s', (mode) => {
  describe.each(['the session’s own', 'somebody else’s'])('the NBD server is %s', (whose) => {
    const server = (): string[] => (whose.startsWith('some') ? ['--nbd-socket', daemon.nbdPath] : []);

    test.each([
      ['rollback', 'by its id'],
      ['rollback', 'by what QEMU shows of it'],
      ['commit', 'by its id'],
      ['doctor', '--fix'],
    ])('%s %s ends it, and the next session begins', async (command, how) => {
      if (server().length > 0) await daemon.exportWritable('a', 'b');
      const { pit: first } = await json('enable', '--vm', vm);
      const begun = await json('begin', '--vm', vm, '--mode', mode, '--scratch', scratch.path, ...server());
      const session = String(begun['session']);
      if (server().length > 0) await daemon.guestIo('a', 'write -P 7 1M 1M', 'flush');
      for (const name of await readdir(scratch.path)) await rm(join(scratch.path, name), { recursive: true });

      const busy = await cli('begin', '--vm', vm, '--scratch', scratch.path, ...server());
      expect(busy).toMatchObject({ code: 5, stderr: expect.stringContaining(tagOf(session)) });
      if (command === 'doctor') {
        const seen = await cli('doctor', `qmp:${vm}`);
        expect(seen.stdout).toMatch(/its folder .* is gone/);
        expect(await cli('doctor', `qmp:${vm}`, '--fix')).toMatchObject({ code: 0 });
      } else {
        const name = how.includes('QEMU') ? tagOf(session) : session;
        const { disks } = await json(command, '--vm', vm, '--session', name);
        const told = changeIdsOf(begun['disks']);
        expect(disks).toMatchObject(command === 'commit' ? told : told.map(({ disk }) => ({ disk })));
      }
      expect(await ids()).toEqual([]);

      const next = await json('begin', '--vm', vm, '--scratch', scratch.path, ...server());
      const base = command === 'commit' ? session : first;
      expect(next['disks']).toMatchObject([
        { verdict: 'incremental', base },
        { verdict: 'incremental', base },
      ]);
      await json('rollback', '--vm', vm, '--session', String(next['session']));
      if (server().length === 0) return;
      // What the guest wrote meanwhile is in the image, and in the map.
      await daemon.process.terminate();
      await using disk = await openDisk(join(folder.path, 'a.qcow2'));
      const changed = Array.from(await (await disk.changes({ from: String(base) })).ranges());
      expect(changed).toEqual([MiB, MiB]);
      const raw = join(folder.path, 'raw');
      await qemuImg('convert', '-O', 'raw', join(folder.path, 'a.qcow2'), raw);
      expect((await readFile(raw)).subarray(MiB, 2 * MiB).every((byte) => byte === 7)).toBe(true);
    });
  });
});

test('another session is not taken for it', async () => {
  await json('enable', '--vm', vm);
  const { session } = await json('begin', '--vm', vm, '--scratch', scratch.path);
  const other = `${String(session).slice(0, -1)}${String(session).endsWith('0') ? '1' : '0'}`;
  expect(await cli('rollback', '--vm', vm, '--session', other)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no session'),
  });
  for (const name of await readdir(scratch.path)) await rm(join(scratch.path, name), { recursive: true });
  expect((await cli('rollback', '--vm', vm, '--session', other)).code).toBe(2);
  expect((await cli('rollback', '--vm', vm, '--session', 'ffffffffffffffff')).code).toBe(2);
  expect((await cli('rollback', '--vm', vm, '--session', 'nonsense')).code).toBe(2);
  await json('rollback', '--vm', vm, '--session', String(session));
});

function changeIdsOf(disks: unknown): { disk: string }[] {
  const told = disks as { disk: string; epoch: string; changeId: string }[];
  return told.map(({ disk, epoch, changeId }) => ({ disk, epoch, changeId }));
}
