/** Names that are no UTF-8: said by their bytes and never taken for another file, which text would make of them. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { imageNode } from '../../../lib/host/imageName.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { connectVm } from '../../../lib/host/vm.js';
import { realPathAsText, textOf } from '../../../lib/linux/textPath.js';
import { cli } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

const bytes = (folder: string, ...names: (string | number[])[]): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), ...names.map((name) => Buffer.from(name as string))]);
const root = join(import.meta.dirname, '../../..');

/** Runs the built command by a shell, which alone can give it such bytes. */
async function sh(folder: string, script: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const cbt = `${process.execPath} ${join(root, 'bin/qemu-cbt.js')}`;
  const run = promisify(execFile)('bash', ['-c', `cbt() { ${cbt} "$@"; }; ${script}`], { cwd: folder });
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

test('an argument that is no UTF-8 is refused, beside a file that its text would name', async () => {
  await withFolder(async (folder) => {
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'd\uFFFD.qcow2'), '1M');
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'a'), '1M');
    renameSync(join(folder, 'a'), bytes(folder, 'd', [0xff], '.qcow2'));
    for (const command of ['pits', 'enable', 'backup --to b', 'doctor']) {
      const { code, stderr } = await sh(folder, `cbt ${command} $'d\\xff.qcow2'`);
      expect([command, code]).toEqual([command, 4]);
      expect(stderr).toContain("$'d\\xff.qcow2'");
    }
    expect(await sh(folder, `cbt pits d\uFFFD.qcow2`)).toMatchObject({ code: 0 });
    expect(await sh(folder, `mkdir $'in\\xff'; cd $'in\\xff'; cbt pits ../a`)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the working folder'),
    });
  });
}, 60_000);

test('doctor names an image of a folder that it cannot look at, and looks at the others', async () => {
  await withFolder(async (folder) => {
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'good.qcow2'), '1M');
    writeFileSync(bytes(folder, [0xff, 0x41], '.qcow2'), '');
    writeFileSync(bytes(folder, [0xff], '.txt'), '');
    const { code, stdout } = await cli('doctor', folder);
    expect(code).toBe(4);
    expect(stdout).toMatch(/good\.qcow2/);
    expect(stdout).toContain("$'\\xffA.qcow2'");
    expect(stdout).not.toMatch(/txt/);
  });
});

test('a link leads to no file whose name cannot be told, where a name has to be', async () => {
  await withFolder(async (folder) => {
    const inside = bytes(folder, 'f', [0xfe]);
    mkdirSync(inside);
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'a'), '1M');
    renameSync(join(folder, 'a'), Buffer.concat([inside, Buffer.from('/d.qcow2')]));
    const link = join(folder, 'link.qcow2');
    await promisify(execFile)('bash', ['-c', `ln -s "$PWD"/$'f\\xfe'/d.qcow2 link.qcow2`], { cwd: folder });
    expect(await refusalOf(realPathAsText(link))).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
    // Reading needs no name but the one that was given.
    await using disk = await openDisk(link);
    expect((await disk.pits()).state).toBe('untracked');
    expect(await imageNode(link)).toMatchObject({ file: { filename: link } });
    expect(await refusalOf(new ImageTracking([link]).enable())).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { limit: 'UTF-8' },
    });
  });
});

test('text that stands for no bytes is no path', async () => {
  expect(await refusalOf(openDisk('/tmp/\ud800.qcow2'))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  expect(textOf(Buffer.from('näme'))).toBe('näme');
  expect(textOf(Buffer.from([0xc3]))).toBeNull();
});

test('what QEMU shows of such a name is no path: the disk is tracked live all the same', async () => {
  await withFolder(async (folder) => {
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'a'), '1M');
    renameSync(join(folder, 'a'), bytes(folder, 'd', [0xff]));
    writeFileSync(join(folder, 'd\uFFFD'), 'another file');
    const program = process.env['QEMU_STORAGE_DAEMON'] ?? 'qemu-storage-daemon';
    const node = `--blockdev driver=file,node-name=f,filename="$PWD"/$'d\\xff' --blockdev driver=qcow2,node-name=d,file=f`;
    const monitor = '--chardev socket,path=q.sock,server=on,wait=off,id=m --monitor chardev=m';
    const daemon = spawn('bash', ['-c', `exec ${program} ${node} ${monitor}`], { cwd: folder });
    try {
      const socket = join(folder, 'q.sock');
      // The socket is there a moment before anybody listens on it.
      await using vm = await eventually(() => connectVm(socket));
      const [disk] = await vm.disks();
      expect(disk).toMatchObject({ trackable: true, filename: expect.stringMatching(/^unreadable:/) });
      expect((await vm.enable()).disks).toMatchObject([{ changeId: expect.any(String) }]);
    } finally {
      daemon.kill();
      await once(daemon, 'exit');
    }
  });
});
