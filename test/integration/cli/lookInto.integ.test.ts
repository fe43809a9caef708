/** `serve-nbd` and `mount`: what a run holds, as any client or file system sees it; nothing is left when they end, however they do. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restore } from '../../../lib/backup/restore.js';
import { startCommand } from '../../helpers/builtCommand.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { e2fsprogs } from '../../helpers/guest/e2fsprogs.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const MIB = 1 << 20;
const run = promisify(execFile);

let folder: TemporaryFolder;
let from: string;
const at = (...names: string[]): string => join(folder.path, ...names);

/** A disk with one partition that holds a file, in two runs; the second has another word behind the file system. */
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  from = at('backups');
  const raw = at('disk.raw');
  const table = Buffer.alloc(MIB);
  table[446 + 4] = 0x83;
  table.writeUInt32LE(2048, 446 + 8);
  table.writeUInt32LE(12 * 2048, 446 + 12);
  table.writeUInt16LE(0xaa55, 510);
  await writeFile(raw, Buffer.concat([table, Buffer.alloc(15 * MIB)]));
  await mkdir(at('root'));
  await writeFile(at('root', 'lost.txt'), 'found');
  await e2fsprogs('mkfs.ext4', ['-q', '-F', '-d', at('root'), '-E', `offset=${MIB}`, raw, '12M']);
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, at('disk.qcow2'));
  await backup(imagesSource([at('disk.qcow2')]), { to: from });
  await qemuIo(['-f', 'qcow2', at('disk.qcow2')], 'write -P 9 14M 64k');
  await backup(imagesSource([at('disk.qcow2')]), { to: from });
});
afterEach(() => folder.remove());

test('serve-nbd: the disk of a run for any NBD client, and the folder is kept as it is', async () => {
  const stop = new AbortController();
  const socket = at('nbd.sock');
  const serving = cliWith({ signal: stop.signal }, 'serve-nbd', from, '--socket', socket, '--json');
  const uri = `nbd+unix:///disk?socket=${socket}`;
  await eventually(() => run('nbdinfo', [uri]));
  expect((await stat(socket)).mode & 0o777).toBe(0o600);
  await run('nbdcopy', [uri, at('copied')]);
  await restore({ from, to: at('restored') });
  expect((await readFile(at('copied'))).equals(await readFile(at('restored')))).toBe(true);
  await expect(run('qemu-io', ['-f', 'raw', '-c', 'write 0 512', uri])).rejects.toThrow(
    /read-only|Read-only|Permission/,
  );
  const pruned = await cli('prune', '--from', from, '--keep-last', '1');
  expect(pruned.stderr).toMatch(/BUSY/);
  stop.abort();
  const { code, stdout, stderr } = await serving;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({
    run: 2,
    disks: [
      {
        key: 'disk',
        sizeBytes: 16 * MIB,
        uri,
        partitions: [{ number: 1, offset: MIB, length: 12 * MIB, kind: 'ext4' }],
      },
    ],
  });
  expect(await readdir(folder.path)).not.toContain('nbd.sock');
  expect((await cli('prune', '--from', from, '--keep-last', '1')).code).toBe(0);
});

test('serve-nbd takes no name that is somebody’s, and leaves what it did not make', async () => {
  const socket = at('web.qcow2');
  await writeFile(socket, 'an image');
  for (const more of [[], ['--pit', '99']]) {
    const refused = await cli('serve-nbd', from, '--socket', socket, ...more);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/--socket: .*web\.qcow2 is there already and no socket/);
    expect(await readFile(socket, 'utf8')).toBe('an image');
  }
  await rm(socket);
  expect((await cli('serve-nbd', from, '--socket', socket, '--pit', '99')).code).toBe(2);
  expect((await readdir(folder.path)).filter((name) => /web|^cbt-/.test(name))).toEqual([]);

  const first = await startCommand(['serve-nbd', from, '--socket', socket]);
  const uri = `nbd+unix:///disk?socket=${socket}`;
  await eventually(() => run('nbdinfo', [uri]));
  const second = await cli('serve-nbd', from, '--socket', socket);
  expect(second.code).toBe(5);
  expect(second.stderr).toMatch(/somebody listens at .*web\.qcow2 \[BUSY\]/);
  await run('nbdinfo', [uri]);
  first.child.kill('SIGKILL');
  await first.done;
  await eventually(() => expect(run('nbdinfo', [uri])).rejects.toThrow(/refused/));

  // A dead one's name is free.
  const stop = new AbortController();
  const third = cliWith({ signal: stop.signal }, 'serve-nbd', from, '--socket', socket);
  await eventually(() => run('nbdinfo', [uri]));
  await writeFile(at('mine'), 'mine');
  await rename(at('mine'), socket);
  stop.abort();
  expect(await third).toMatchObject({ code: 0, stderr: '' });
  expect(await readFile(socket, 'utf8')).toBe('mine');
});

test('serve-nbd listens on this machine alone, and says which runs and disks there are', async () => {
  for (const listen of ['0.0.0.0:10809', '192.168.1.1:10809', '127.0.0.1:0', 'here:1'])
    expect((await cli('serve-nbd', from, '--listen', listen)).stderr).toMatch(
      /--listen is .*, expected an address of this machine alone/,
    );
  expect((await cli('serve-nbd', from, '--pit', '9')).stderr).toMatch(/expected a run of .*, which has 2 \(/);
  expect((await cli('serve-nbd', from, '--disk', 'vdz')).stderr).toMatch(
    /--disk is "vdz", expected one of those in the folder: disk/,
  );
  const { child, done } = await startCommand(['serve-nbd', from, '--pit', '1']);
  let said = '';
  child.stdout?.on('data', (more) => {
    said += more;
  });
  await eventually(() => expect(said).toContain('Ctrl-C'));
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await done;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^Run 1, .*\n {2}nbd\+unix:\/\/\/disk\?socket=.* {3}.*disk\.qcow2, 16 MiB; 1: ext4 12 MiB\nCtrl-C ends it/,
  );
  const [, socket = ''] = /socket=(\S+)/.exec(stdout) ?? [];
  await expect(stat(socket)).rejects.toThrow('ENOENT');
});

test('mount: one file back by the line that it prints; ended or killed, nothing stays mounted', async () => {
  const place = at('look');
  const stop = new AbortController();
  const mounted = cliWith({ signal: stop.signal }, 'mount', from, place, '--pit', '1');
  const file = join(place, 'disk.raw');
  await eventually(async () => expect((await stat(file)).size).toBe(16 * MIB));
  const mnt = at('mnt');
  await mkdir(mnt);
  const line = `mount -o ro,nosuid,nodev,noexec,loop,offset=${MIB},sizelimit=${12 * MIB},noload ${file} `;
  await run('sh', ['-c', line + mnt]);
  expect(await readFile(join(mnt, 'lost.txt'), 'utf8')).toBe('found');
  await run('umount', [mnt]);
  stop.abort();
  const { code, stdout, stderr } = await mounted;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(line);
  expect(await readdir(folder.path)).not.toContain('look');

  await mkdir(place);
  await writeFile(file, 'mine');
  expect((await cli('mount', from, place)).stderr).toMatch(/disk\.raw is there already/);
  expect(await readFile(file, 'utf8')).toBe('mine');
  await writeFile(file, '');
  const { child, done } = await startCommand(['mount', from, place]);
  await eventually(async () => expect((await stat(file)).size).toBe(16 * MIB));
  child.kill('SIGKILL');
  await done;
  // The daemon ends with us, and its mount with it; what is left the next one takes for its own.
  await eventually(async () => expect((await stat(file)).size).toBe(0));
});

test('mount removes what it made and nothing else: parents, but no file of the user’s', async () => {
  await mkdir(at('mine'));
  const file = at('mine', 'disk.raw');
  await writeFile(file, '');
  for (const place of [at('a', 'b', 'c'), at('mine')]) {
    const stop = new AbortController();
    const mounted = cliWith({ signal: stop.signal }, 'mount', from, place);
    await eventually(async () => expect((await stat(join(place, 'disk.raw'))).size).toBe(16 * MIB));
    stop.abort();
    expect(await mounted).toMatchObject({ code: 0, stderr: '' });
  }
  expect(await readdir(folder.path)).not.toContain('a');
  expect((await stat(file)).size).toBe(0);
  await mkdir(at('a'));
  expect((await cli('mount', from, at('a', 'b'), '--pit', '99')).code).toBe(2);
  expect(await readdir(at('a'))).toEqual([]);
});
