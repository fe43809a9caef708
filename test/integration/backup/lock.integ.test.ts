/** One writer at a time in a backup folder, as real processes have it: in namespaces of their own, on odd file systems, after a loss of power. */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCommand, startCommand } from '../../helpers/builtCommand.js';
import { eventually } from '../../helpers/eventually.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';

const run = promisify(execFile);
let folder: TemporaryFolder;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
});
afterEach(() => folder.remove());

async function image(name: string, size: string, write: string): Promise<string> {
  const path = join(folder.path, name);
  await qemuImg('create', '-q', '-f', 'qcow2', path, size);
  await qemuIo(['-f', 'qcow2', path], write);
  return path;
}

test('two runs in PID namespaces of their own: the second is BUSY, the first one’s folder is sound', async () => {
  const disk = await image('a.qcow2', '64M', 'write -P 1 0 40M');
  const front = ['unshare', '--pid', '--fork', '--mount-proc'];
  const first = await startCommand(['backup', disk, '--to', to, '--rate', '20M'], { front });
  await eventually(async () => expect(await readFile(join(to, 'lock.json'), 'utf8')).toContain('"pid"'));
  const second = await runCommand(['backup', disk, '--to', to], { front });
  expect(second).toMatchObject({ code: 5, stderr: expect.stringContaining('works here since') });
  expect(await first.done).toMatchObject({ code: 0 });
  expect(await runCommand(['verify', '--from', to])).toMatchObject({ code: 0 });
  expect(await readdir(to)).not.toContain('lock.json');
});

test('in a PID namespace that sees another one’s /proc: nothing is told from numbers that are somebody else’s there', async () => {
  const disk = await image('a.qcow2', '16M', 'write -P 1 0 1M');
  const front = ['unshare', '--pid', '--fork'];
  expect(await runCommand(['backup', disk, '--to', to], { front })).toMatchObject({ code: 0 });
  const restored = join(folder.path, 'restored.qcow2');
  expect(await runCommand(['restore', '--from', to, '--to', restored], { front })).toMatchObject({ code: 0 });
  expect((await run('qemu-img', ['compare', disk, restored])).stdout).toContain('identical');
});

test('killed, it holds nobody off, and the next run clears up after it', async () => {
  const disk = await image('a.qcow2', '64M', 'write -P 1 0 40M');
  const first = await startCommand(['backup', disk, '--to', to, '--rate', '5M']);
  await eventually(async () => expect(await readFile(join(to, 'lock.json'), 'utf8')).toContain('"pid"'));
  first.child.kill('SIGKILL');
  expect(await first.done).toMatchObject({ signal: 'SIGKILL' });
  expect(await runCommand(['backup', disk, '--to', to])).toMatchObject({ code: 0 });
  expect(await readdir(to)).not.toContain('lock.json');
});

test('a file system without hard links', async () => {
  const source = join(folder.path, 'l.c');
  await writeFile(
    source,
    '#include <errno.h>\nint link(const char*a,const char*b){errno=EPERM;return -1;}\n' +
      'int linkat(int a,const char*b,int c,const char*d,int e){errno=EPERM;return -1;}\n',
  );
  await run('cc', ['-shared', '-fPIC', '-o', join(folder.path, 'l.so'), source]);
  const disk = await image('a.qcow2', '16M', 'write -P 1 0 1M');
  const env = { LD_PRELOAD: join(folder.path, 'l.so') };
  for (const expected of ['full', 'incremental'])
    expect(await runCommand(['backup', disk, '--to', to], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(expected),
    });
});

test('an empty lock.json, as a loss of power leaves it, keeps nobody away', async () => {
  const disk = await image('a.qcow2', '4M', 'write -P 1 0 1M');
  expect(await runCommand(['backup', disk, '--to', to])).toMatchObject({ code: 0 });
  await writeFile(join(to, 'lock.json'), '');
  expect(await runCommand(['backup', disk, '--to', to])).toMatchObject({ code: 0 });
  expect(await readdir(to)).not.toContain('lock.json');
});
