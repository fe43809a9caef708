/** What `doctor` says of the machine, of backup folders, and of a disk beside the folder that it is backed up into. */
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { installerOf } from '../../../lib/host/systemFix.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
const before = { ...process.env };
const at = (...names: string[]): string => join(folder.path, ...names);
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  process.env['LIBVIRT_DEFAULT_URI'] = `qemu:///system?socket=${at('none')}`;
});
afterEach(async () => {
  for (const name of ['LIBVIRT_DEFAULT_URI', 'QEMU_IMG', 'QEMU_NBD', 'QEMU_CBT_NBD_ADDON_PATH'])
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  await folder.remove();
});

interface Fact {
  what: string;
  level: string;
  message: string;
  fix: string | null;
}

async function system(...more: string[]): Promise<{ code: number; facts: Map<string, Fact> }> {
  const { code, stdout } = await cli('doctor', '--system', '--json', ...more);
  const { facts } = JSON.parse(stdout) as { facts: Fact[] };
  return { code, facts: new Map(facts.map((fact) => [fact.what, fact])) };
}

async function program(text: string): Promise<string> {
  await writeFile(at('program'), `#!/bin/sh\n${text}\n`);
  await chmod(at('program'), 0o755);
  return at('program');
}

describe('doctor --system', () => {
  test('says what there is, with versions', async () => {
    const { code, facts } = await system('--scratch', '/var/tmp');
    expect(code).toBe(0);
    for (const what of [
      'Node.js',
      'addon',
      'libnbd',
      'qemu-img',
      'qemu-nbd',
      'qemu-storage-daemon',
      'scratch',
    ])
      expect(facts.get(what), what).toMatchObject({ level: 'ok', fix: null });
    expect(facts.get('qemu-img')?.message).toMatch(/^\d+\.\d+.*, \//);
    expect(facts.get('scratch')?.message).toMatch(/^\/var\/tmp: .*room for/);
    expect(facts.get('libvirt')?.message).toMatch(/^none here/);
  });

  test.each([
    ['that is not there', async () => at('nowhere'), /qemu-img was not found/],
    [
      'that is too old',
      () => program('echo qemu-img version 6.2.0'),
      /version 6\.2\.0, and at least 7\.2 is needed/,
    ],
    ['that does not run', () => program('exit 1'), /does not run/],
    ['that is something else', () => program('echo hello'), /does not say its version/],
  ])('a program %s: the command that mends it', async (_, make, message) => {
    process.env['QEMU_IMG'] = await make();
    const { code, facts } = await system();
    expect(code).toBe(4);
    expect(facts.get('qemu-img')).toMatchObject({
      level: 'problem',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/install .*qemu-(utils|img)/),
    });
    expect(facts.get('qemu-nbd')).toMatchObject({ level: 'ok' });
    const { stdout } = await cli('doctor', '--system');
    expect(stdout).toMatch(/PROBLEM qemu-img: .*\n {8}→ .*install/);
  });

  test('a scratch folder that is not there, is no folder, or is memory', async () => {
    expect((await system('--scratch', at('nowhere'))).facts.get('scratch')).toMatchObject({
      level: 'problem',
    });
    await writeFile(at('file'), '');
    expect(await system('--scratch', at('file'))).toMatchObject({ code: 2 });
    expect((await system('--scratch', '/dev/shm')).facts.get('scratch')?.message).toMatch(
      /^\/dev\/shm: tmpfs/,
    );
  });

  test('sockets of the host file, and a host file that is wrong', async () => {
    await writeFile(
      at('host.yaml'),
      `vms:\n  - {name: off, qmpSocket: ${at('off.qmp')}}\n  - {name: odd, qmpSocket: ${at('host.yaml')}}\n`,
    );
    const told = await system('--host', at('host.yaml'));
    expect(told.facts.get('host file')?.message).toMatch(/host\.yaml, 2 VMs$/);
    expect(told.facts.get('VM off')).toMatchObject({
      level: 'note',
      message: expect.stringContaining('is off'),
    });
    expect(told.facts.get('VM odd')).toMatchObject({
      level: 'problem',
      message: expect.stringContaining('no socket'),
    });
    expect(told.code).toBe(2);
    await writeFile(at('host.yaml'), 'vmms: []\n');
    expect((await system('--host', at('host.yaml'))).facts.get('host file')).toMatchObject({
      level: 'problem',
    });
  });

  test('a libvirt that is there and does not answer', async () => {
    await writeFile(at('none'), '');
    const { facts, code } = await system();
    expect(facts.get('libvirt')).toMatchObject({ level: 'problem', fix: expect.stringContaining('libvirt') });
    expect(code).toBe(5);
  });

  test('is asked by itself', async () => {
    for (const more of [['x.qcow2'], ['--fix'], ['--from', 'x']])
      expect((await cliWith({}, 'doctor', '--system', ...more)).code).toBe(2);
  });

  test('installs in the words of the distribution', async () => {
    const told = async (text: string, root: boolean): Promise<string> => {
      await writeFile(at('os-release'), text);
      return (await installerOf(at('os-release'), root))({ debian: 'a', fedora: 'b' });
    };
    expect(await told('NAME=x\nID=debian\n', true)).toBe('apt-get install a');
    expect(await told('ID="linuxmint"\nID_LIKE="ubuntu debian"\n', false)).toBe('sudo apt-get install a');
    expect(await told('ID="rocky"\nID_LIKE="rhel centos fedora"\n', true)).toBe('dnf install b');
    expect(await told('ID=alpine\n', true)).toBe(
      'apt-get install a (Debian, Ubuntu), dnf install b (Fedora, RHEL)',
    );
  });
});

describe('doctor of backups', () => {
  let image: string;
  let to: string;
  beforeEach(async () => {
    [image, to] = [at('web.qcow2'), at('backups')];
    await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
    for (const round of [1, 2, 3]) {
      await qemuIo(['-f', 'qcow2', image], `write -P ${round} ${round * 64}k 64k`);
      await backup(imagesSource([image]), { to });
    }
  });

  test('a folder of backups is known as one', async () => {
    const { code, stdout } = await cli('doctor', to);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ok {6}3 run\(s\), the newest, 3, of \d{4}-.*room for/);
    await symlink('/dev/zero', join(to, 'run-000009.json'));
    await rm(join(to, 'web-000002.qcow2'));
    const broken = await cli('doctor', to);
    expect(broken.code).toBe(4);
    expect(broken.stdout).toMatch(/PROBLEM .*run-000009\.json is a symbolic link/);
    expect(broken.stdout).toMatch(
      /PROBLEM .*web-000002\.qcow2 is missing; 2 run\(s\) cannot be restored: 2, 3/,
    );
  });

  test('without a run it is empty', async () => {
    await mkdir(at('empty'));
    await writeFile(at('empty', 'folder.json'), await readFile(join(to, 'folder.json')));
    expect((await cli('doctor', at('empty'))).stdout).toContain('a backup folder without a run');
  });

  test('a disk beside its folder: what the next backup builds on', async () => {
    const said = async (): Promise<string> => {
      const { code, stdout } = await cli('doctor', image, '--from', to);
      return `${code} ${stdout}`;
    };
    expect(await said()).toMatch(/^0 [\s\S]*the next backup into .* builds on run 3/);
    const pits = JSON.parse((await cli('pits', image, '--json')).stdout).pits as { pit: string }[];
    expect((await cli('forget', image, '--point', pits[2]?.pit ?? '')).code).toBe(0);
    expect(await said()).toMatch(/^0 [\s\S]*\[UNKNOWN_PIT\] run 3 of .* builds on run 2 instead/);
    expect((await cli('reset', image)).code).toBe(0);
    expect(await said()).toMatch(
      /^0 [\s\S]*\[OTHER_EPOCH\].* has it up to run 3, of another history: the next backup into it is full/,
    );
    expect((await cli('doctor', image, '--from', at('nowhere'))).code).toBe(5);
  });

  test('a disk that lost every point that its folder knows', async () => {
    await rm(to, { recursive: true });
    await backup(imagesSource([image]), { to });
    const pits = JSON.parse((await cli('pits', image, '--json')).stdout).pits as { pit: string }[];
    expect((await cli('forget', image, '--point', pits.at(-1)?.pit ?? '')).code).toBe(0);
    const { code, stdout } = await cli('doctor', image, '--from', to);
    expect(code).toBe(3);
    expect(stdout).toMatch(/PROBLEM \[UNKNOWN_PIT\] run 1 of .*: the next backup is full/);
  });

  test('a disk whose newest run, or whose history, nothing can be built on', async () => {
    const said = async (): Promise<string> => {
      const { code, stdout } = await cli('doctor', image, '--from', to);
      return `${code} ${stdout}`;
    };
    // Damaged, but there: only its header tells.
    await writeFile(join(to, 'web-000003.qcow2'), 'no image');
    expect(await said()).toMatch(
      /^3 [\s\S]*PROBLEM .*run 3 of .* cannot be built on .*: the next backup builds on run 2 instead/,
    );
    await rm(join(to, 'web-000001.qcow2'));
    expect(await said()).toMatch(/^3 [\s\S]*PROBLEM .*cannot be built on .*: the next backup is full/);
    expect(await backup(imagesSource([image]), { to })).toMatchObject({ disks: [{ verdict: 'full' }] });
    expect(await said()).toMatch(/^0 [\s\S]*builds on run 4/);
    // Its QEMU is killed: what was written since is not known.
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
    await daemon.exportWritable('a');
    await daemon.guestIo('a', 'write 0 64k', 'flush');
    await daemon.process.kill();
    expect(await said()).toMatch(
      /^3 [\s\S]*PROBLEM .*the next backup into .* is full: the history that run 4 is of has ended/,
    );
    expect(await backup(imagesSource([image]), { to })).toMatchObject({ disks: [{ verdict: 'full' }] });
  });
});
