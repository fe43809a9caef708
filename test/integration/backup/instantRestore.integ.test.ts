/** Instant restore: a VM runs from a run's files at once, nothing in the folder changes, and what is filled in is the disk. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { startCommand } from '../../helpers/builtCommand.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const SIZE = 8 << 20;
const run = promisify(execFile);

let folder: TemporaryFolder;
let from: string;
let overlay: string;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [from, overlay] = [at('backups'), at('vm.qcow2')];
  await qemuImg('create', '-q', '-f', 'qcow2', at('disk.qcow2'), String(SIZE));
  for (const pattern of [1, 2]) {
    await qemuIo(['-f', 'qcow2', at('disk.qcow2')], `write -P ${pattern} ${pattern}M 1M`);
    await backup(imagesSource([at('disk.qcow2')]), { to: from });
  }
});
afterEach(() => folder.remove());

/** Every byte of the folder. */
async function sumOfFolder(): Promise<string> {
  const sum = createHash('sha256');
  for (const name of (await readdir(from)).sort())
    if (!name.endsWith('lock.json')) sum.update(name).update(await readFile(join(from, name)));
  return sum.digest('hex');
}

/** A VM on the overlay, as QEMU itself opens it. */
async function startVm(): Promise<StorageDaemon> {
  const vm = await StorageDaemon.start({
    disks: [{ node: 'vda', file: overlay, options: { discard: 'unmap' } }],
  });
  await vm.exportWritable('vda');
  return vm;
}

test('the VM starts over the backup, is filled while it runs, and stands alone then', async () => {
  const before = await sumOfFolder();
  const started = cliWith(
    {},
    'restore',
    '--from',
    from,
    '--instant',
    '--to',
    overlay,
    '--vm',
    at('qmp.sock'),
  );
  await eventually(async () => expect(await readdir(folder.path)).toContain('vm.qcow2'));
  expect((await cli('prune', '--from', from, '--keep-last', '1')).stderr).toMatch(/BUSY/);
  const vm = await StorageDaemon.start({ folder: folder.path, disks: [{ node: 'vda', file: overlay }] });
  await vm.exportWritable('vda');
  const { code, stdout, stderr } = await started;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^Over run 2, .*\n {2}.*vm\.qcow2 {3}.*disk\.qcow2, 8 MiB\nStart VM .*\nfilled: /);
  await vm.guestIo('vda', 'write -P 3 3M 64k');
  await vm.process.terminate();
  const info = JSON.parse(await qemuImg('info', '--output=json', overlay)) as Record<string, unknown>;
  expect(info['backing-filename']).toBeUndefined();
  await qemuIo(
    ['-f', 'qcow2', overlay],
    'read -P 1 1M 1M',
    'read -P 2 2M 1M',
    'read -P 3 3M 64k',
    'read -P 0 4M 4M',
  );
  expect(await sumOfFolder()).toBe(before);
  expect((await cli('prune', '--from', from, '--keep-last', '1')).code).toBe(0);
});

test('given up, the overlay still stands on the backup, and that is said; a file that is there stays', async () => {
  const stop = new AbortController();
  const started = cliWith(
    { signal: stop.signal },
    'restore',
    '--from',
    from,
    '--pit',
    '1',
    '--instant',
    '--to-folder',
    at('vms'),
    '--json',
  );
  overlay = at('vms', 'disk.qcow2');
  await eventually(async () => expect(await readdir(at('vms'))).toContain('disk.qcow2'));
  const again = await cli('restore', '--from', from, '--instant', '--to', overlay);
  expect(again.code).toBe(2);
  expect(again.stderr).toMatch(/disk\.qcow2 is there already/);
  const vm = await startVm();
  await vm.guestIo('vda', 'write -P 5 0 64k');
  stop.abort();
  const { code, stdout, stderr } = await started;
  expect(code).toBe(6);
  expect(stderr).toMatch(/warning: .*disk\.qcow2 still stands on .*disk-000001\.qcow2/);
  expect(JSON.parse(stdout)).toMatchObject({
    run: 1,
    disks: [{ image: overlay, backing: join(from, 'disk-000001.qcow2') }],
  });
  // A VM that runs from it is seen by its locks.
  const pruned = await cli('prune', '--from', from, '--keep-last', '1');
  expect(pruned.stdout + pruned.stderr).toMatch(/has it open|in use/);
  await vm.process.terminate();
  await qemuIo(['-f', 'qcow2', overlay], 'read -P 5 0 64k', 'read -P 1 1M 1M', 'read -P 0 2M 1M');
});

test('an overlay that stands on the run is gone on with; one of another run is a file as any', async () => {
  const instant = (...more: string[]) => ['restore', '--from', from, '--instant', '--to', overlay, ...more];
  const first = await startCommand(instant());
  await eventually(async () => expect(await readdir(folder.path)).toContain('vm.qcow2'));
  first.child.kill('SIGKILL');
  await first.done;
  const vm = await startVm();
  await vm.guestIo('vda', 'write -P 5 0 64k');
  // Another run's overlay is somebody's file.
  const other = await cli(...instant('--pit', '1', '--vm', vm.process.qmpPath));
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/vm\.qcow2 is there already/);
  const { code, stdout, stderr } = await cli(...instant('--vm', vm.process.qmpPath));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/\nfilled: /);
  await vm.process.terminate();
  expect(JSON.parse(await qemuImg('info', '--output=json', overlay))).not.toHaveProperty('backing-filename');
  await qemuIo(['-f', 'qcow2', overlay], 'read -P 5 0 64k', 'read -P 1 1M 1M', 'read -P 2 2M 1M');
});

test('without a VM the process stays, and keeps prunes away until it is ended', async () => {
  const { child, done } = await startCommand(['restore', '--from', from, '--instant', '--to', overlay]);
  let said = '';
  child.stdout?.on('data', (more) => {
    said += more;
  });
  await eventually(() => expect(said).toContain('keep this command running'));
  expect((await cli('prune', '--from', from, '--keep-last', '1')).stderr).toMatch(/BUSY/);
  child.kill('SIGINT');
  expect((await done).code).toBe(6);
});

test('what it would leave out is a conflict', async () => {
  const instant = ['restore', '--from', from, '--instant', '--to-folder', at('vms')];
  for (const more of [
    ['--define', 'web2'],
    ['--define', 'web2', '--same-identity'],
    ['--tls-psk', 'keys'],
  ]) {
    const { code, stderr } = await cli(...instant, ...more);
    expect({ more, code }).toEqual({ more, code: 2 });
    expect(stderr).toMatch(/cannot be used with option/);
  }
  const onto = await cli('restore', '--from', from, '--onto', at('disk.qcow2'), '--vm', 'web');
  expect(onto.code).toBe(2);
  expect(onto.stderr).toMatch(/'--vm <vm>' cannot be used with option '--onto/);
  expect(await readdir(folder.path)).not.toContain('vms');
});

test('a folder that cannot be locked is refused, as nothing would keep a prune out', async () => {
  const readOnly = at('read-only');
  await mkdir(readOnly);
  await run('mount', ['--bind', from, readOnly]);
  try {
    await run('mount', ['-o', 'remount,ro,bind', readOnly]);
    const refused = await cli('restore', '--from', readOnly, '--instant', '--to', overlay);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/error\[ERR_CBT_UNSUPPORTED\] .*read-only cannot be locked/);
    expect(await readdir(folder.path)).not.toContain('vm.qcow2');
    const stop = new AbortController();
    const socket = at('nbd.sock');
    const serving = cliWith({ signal: stop.signal }, 'serve-nbd', readOnly, '--socket', socket);
    await eventually(async () => expect(await readdir(folder.path)).toContain('nbd.sock'));
    stop.abort();
    const { code, stderr } = await serving;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: .*read-only cannot be locked/);
  } finally {
    await run('umount', [readOnly]);
  }
});
