/** The backup commands as a script sees them: results, exit codes, refusals. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli, cliWith } from '../../helpers/cli.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

let folder: TemporaryFolder;
let image: string;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.qcow2');
  to = join(folder.path, 'backups');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '8M');
  await qemuIo(['-f', 'qcow2', image], 'write -P 1 0 1M');
});
afterEach(() => folder.remove());

async function json(...argv: string[]) {
  const { code, stdout, stderr } = await cli(...argv, '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

test('a running VM: estimate, backup, verify against it, prune its chain, restore to an NBD export', async () => {
  const daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  try {
    await daemon.exportWritable('a');
    const vm = ['--vm', daemon.process.file('qmp.sock'), '--nbd-socket', daemon.nbdPath];
    const backup = () => json('backup', ...vm, '--scratch', folder.path, '--to', to);
    expect((await json('estimate', ...vm, '--to', to)).disks).toMatchObject([
      { disk: 'a', verdict: 'full', changedBytes: 1 << 20 },
    ]);
    const first = await backup();
    expect(first).toMatchObject({
      run: 1,
      pit: expect.any(String),
      disks: [
        { disk: 'a', verdict: 'full', message: 'first backup: tracking starts now', file: 'a-000001.qcow2' },
      ],
    });
    await daemon.guestIo('a', 'write -P 2 4M 100k');
    expect((await json('estimate', ...vm, '--to', to)).disks).toMatchObject([
      { disk: 'a', verdict: 'incremental', base: { run: 1 }, changedBytes: 131_072 },
    ]);
    expect((await backup()).disks).toMatchObject([{ verdict: 'incremental', changedBytes: 131_072 }]);
    expect(await json('verify', '--from', to)).toMatchObject({ sound: true, runs: 2, layers: 2 });
    expect(await json('verify', '--from', to, ...vm)).toMatchObject({
      sound: true,
      disks: [{ disk: 'a', run: 2, mappedBytes: 0, comparedBytes: 8 << 20 }],
    });
    const dry = await json('prune', '--from', to, ...vm, '--keep-last', '1', '--dry-run');
    expect(dry).toMatchObject({ dryRun: true, layers: [{ run: 1, action: 'merged', into: 2 }] });
    expect(await json('prune', '--from', to, ...vm, '--keep-last', '1')).toMatchObject({
      kept: [2],
      forgotten: [{ pit: first.pit, disk: 'a' }],
      waiting: [],
    });
    const pits = await json('pits', `qmp:${daemon.process.file('qmp.sock')}#a`);
    expect(pits.pits.map(({ pit }: { pit: string }) => pit)).not.toContain(first.pit);
    expect((await backup()).disks).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);

    // Back into the disk itself, over what it held in the meantime.
    const { stdout } = await cli('restore', '--from', to, '--to', join(folder.path, 'r.raw'));
    expect(stdout).toContain('run 3');
    const unknown = await cli('restore', '--from', to, '--to', join(folder.path, 'no.raw'), '--pit', '77');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(
      /--pit is 77, expected a run of .*, which has 3 \([0-9a-f-]{36}, 20.*Z\), 2 \(/,
    );
    await daemon.guestIo('a', 'write -P 9 0 8M');
    await json('restore', '--from', to, '--to', `nbd+unix:///a?socket=${daemon.nbdPath}`);
    await daemon.process.terminate();
    await qemuImg('convert', '-O', 'raw', image, join(folder.path, 'now.raw'));
    const now = await readFile(join(folder.path, 'now.raw'));
    expect(now.equals(await readFile(join(folder.path, 'r.raw')))).toBe(true);
    expect(now.subarray(4 << 20, (4 << 20) + 102_400).every((byte) => byte === 2)).toBe(true);
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
});

test('pictures of what was copied, in the summary and as files', async () => {
  const full = await cliWith({ env: { LANG: 'C' } }, 'backup', image, '--to', to, '--map');
  expect(full.stderr).toBe('');
  expect(full.stdout).toMatch(/full.*\n.*stored in disk-000001.qcow2\n\n {3}0 bytes #{68}\n/);
  expect(full.stdout).toContain('1 MiB of 8 MiB hold data');
  await qemuIo(['-f', 'qcow2', image], 'write -P 2 4M 128k');
  const result = await json('backup', image, '--to', to, '--map-svg', folder.path);
  const svg = await readFile(join(folder.path, 'disk-000002.svg'), 'utf8');
  expect(svg).toContain('128 KiB of 8 MiB changed (1.56 %) in 1 areas');
  expect(svg).toContain(result.pit);
  const both = await cli('backup', image, '--to', to, '--map', '--json');
  expect(both.code).toBe(2);
  await json('backup', image, '--to', to, '--map-svg', join(folder.path, 'made', 'for', 'it'));
  await expect(readFile(join(folder.path, 'made/for/it/disk-000003.svg'), 'utf8')).resolves.toContain('<svg');
  const { code, stdout } = await cli('backup', image, '--to', to, '--map-svg', join(image, 'none'));
  expect({ code, stdout }).toEqual({ code: 5, stdout: expect.stringContaining('run 4') });
});

test('strictly, a backup that had to be full for a loss is not as wanted; it is kept all the same', async () => {
  const strict = async (...more: string[]): Promise<{ code: number; stderr: string }> =>
    cli('backup', image, '--to', to, '--strict', ...more);
  expect(await strict()).toMatchObject({ code: 0, stderr: '' });
  expect((await strict()).code).toBe(0);
  expect((await cli('reset', image)).code).toBe(0);
  const { code, stderr } = await strict();
  expect(code).toBe(6);
  expect(stderr).toMatch(/warning: .*: full where an incremental backup was wanted/);
  expect((await cli('list', to, '--check', '1h')).code).toBe(0);
  expect((await cli('list', to, '--check', '1h', '--strict')).code).toBe(6);
  expect((await strict()).code).toBe(0);
  expect((await strict('--full')).code).toBe(2);
});

test('where a folder has several disks, restore says which', async () => {
  const other = join(folder.path, 'other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
  await json('backup', image, other, '--to', to);
  const { code, stderr } = await cli('restore', '--from', to, '--to', join(folder.path, 'r.raw'));
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'error[ERR_CBT_INVALID_ARGUMENT] no disk is named, expected one of disk, other (--disk)\n',
  });
});

test('a restored file is sparse, and none is replaced without --force', async () => {
  await json('backup', image, '--to', to);
  const target = join(folder.path, 'r.raw');
  await json('restore', '--from', to, '--to', target);
  const { size, blocks } = await stat(target);
  expect(size).toBe(8 << 20);
  expect(blocks * 512).toBeLessThan(2 << 20);
  const again = await cli('restore', '--from', to, '--to', target);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain('--force');
  expect((await cli('restore', '--from', to, '--to', target, '--force')).code).toBe(0);
});

test('a restored file is of the format that its name says, unless another is asked for', async () => {
  await json('backup', image, '--to', to);
  const formatOf = async (name: string, ...flags: string[]): Promise<unknown> => {
    const target = join(folder.path, name);
    await json('restore', '--from', to, '--to', target, ...flags);
    return (JSON.parse(await qemuImg('info', '--output=json', target)) as { format: string }).format;
  };
  expect(await formatOf('r.qcow2')).toBe('qcow2');
  expect(await formatOf('r')).toBe('raw');
  expect(await formatOf('raw.qcow2', '--format', 'raw')).toBe('raw');
  expect(await formatOf('q', '--format', 'qcow2')).toBe('qcow2');
});

test('exit codes: damage is 4, an unknown run 2, no folder 5, misuse 2, a cancelled run 130 with nothing left', async () => {
  await json('backup', image, '--to', to);
  expect((await cli('restore', '--from', to, '--pit', '7', '--to', join(folder.path, 'x'))).code).toBe(2);
  expect((await cli('verify', '--from', join(folder.path, 'none'))).code).toBe(5);
  for (const argv of [
    ['backup', '--to', to],
    ['backup', image, '--to', to, '--vm', '/x'],
    ['backup', image, '--to', to, '--full', '--incremental'],
    ['backup', image, '--to', to, '--rate', 'fast'],
    ['backup', image, '--to', to, '--quiesce'],
    ['prune', '--from', to],
    ['verify', image, '--from', to, '--depth', 'data'],
  ])
    expect((await cli(...argv)).code, argv.join(' ')).toBe(2);
  const cancel = new AbortController();
  setTimeout(() => cancel.abort(), 300);
  await qemuIo(['-f', 'qcow2', image], 'write -P 1 0 8M');
  const cancelled = await cliWith({ signal: cancel.signal }, 'backup', image, '--to', to, '--rate', '1M');
  expect(cancelled.code).toBe(130);
  expect((await json('verify', '--from', to)).runs).toBe(1);
  await rm(join(to, 'disk-000001.qcow2'));
  await qemuImg('create', '-q', '-f', 'qcow2', join(to, 'disk-000001.qcow2'), '8M');
  expect((await cli('verify', '--from', to)).code).toBe(4);
});

test('a folder of another source: refused with the way out, adopted, and a disk that is named', async () => {
  await json('backup', image, '--to', to);
  const other = join(folder.path, 'other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
  for (const command of ['backup', 'estimate']) {
    const refused = await cli(command, other, '--to', to);
    expect(refused.code, command).toBe(2);
    for (const word of [image, other, '--adopt', '--as']) expect(refused.stderr).toContain(word);
  }
  const adopted = await json('backup', other, '--to', to, '--adopt');
  expect(adopted.disks).toMatchObject([{ disk: other, key: 'other', verdict: 'full' }]);
  const moved = join(folder.path, 'moved.qcow2');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'qcow2', image, moved);
  expect((await json('estimate', moved, '--to', to, '--as', 'disk')).disks).toMatchObject([
    { verdict: 'full' },
  ]);
  expect((await json('backup', moved, '--to', to, '--as', 'disk')).disks).toMatchObject([
    { disk: moved, key: 'disk' },
  ]);
  expect((await cli('backup', other, moved, '--to', to, '--as', 'disk')).code).toBe(2);
});

test('two VMs without a UUID whose disks have the same name share no folder', async () => {
  for (const [number, file] of [image, join(folder.path, 'second.qcow2')].entries()) {
    if (number === 1) await qemuImg('create', '-q', '-f', 'qcow2', file, '8M');
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'd0', file }] });
    await daemon.exportWritable('d0');
    const vm = ['--vm', daemon.process.file('qmp.sock'), '--nbd-socket', daemon.nbdPath];
    const { code, stderr } = await cli('backup', ...vm, '--scratch', folder.path, '--to', to);
    expect({ number, code }).toEqual({ number, code: number === 0 ? 0 : 2 });
    if (number === 1) expect(stderr).toContain('--adopt');
    await daemon.process.terminate();
  }
});
