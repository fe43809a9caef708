/** A QEMU that is somewhere else than we are: with names relative to its own folder, as another user, with other files at the same path. */
import { chmod, chown, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SessionMode } from '../../../../../lib/core/session.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { cli } from '../../../../helpers/cli.js';
import { nbdIo, QemuProcess } from '../../../../helpers/qemuProcess.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
const MODES: SessionMode[] = ['fleece', 'overlay'];
let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let image: string;
let qemu: QemuProcess;
let server: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  image = join(folder.path, 'a.qcow2');
  server = join(folder.path, 'nbd.sock');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await qemu[Symbol.asyncDispose]();
  for (const place of [folder, scratch]) await place.remove();
});

/** A storage daemon started by these words, with a guest's export of the image under this name. */
async function start(file: string, ...by: string[]): Promise<void> {
  const [program = 'qemu-storage-daemon', ...before] = [
    ...by,
    process.env['QEMU_STORAGE_DAEMON'] ?? 'qemu-storage-daemon',
  ];
  const blockdev = { driver: 'qcow2', 'node-name': 'a', file: { driver: 'file', filename: file } };
  qemu = await QemuProcess.start({
    program,
    args: [...before, '--blockdev', JSON.stringify(blockdev)],
    chardevOption: '--chardev',
    monitor: (chardev) => ['--monitor', `chardev=${chardev}`],
    folder: folder.path,
  });
  const { control } = qemu;
  await control.execute('nbd-server-start', { addr: { type: 'unix', data: { path: server } } });
  const guest = { type: 'nbd', id: 'guest', 'node-name': 'a', name: 'a', writable: true };
  await control.execute('block-export-add', guest);
}
const write = (byte: number, mebibyte: number): Promise<string> =>
  nbdIo(server, 'a', [`write -P ${byte} ${mebibyte}M 1M`, 'flush']);

describe('names relative to QEMU’s folder', () => {
  test('an overlay whose QEMU was killed is found by its image, and joined with it', async () => {
    await start('a.qcow2');
    const vm = await connectVm(qemu.qmpPath, { nbdSocket: server });
    const first = await vm.begin({ scratch: { folder: scratch.path } });
    await first.commit();
    // Beside the image, which has to be found for it.
    await vm.begin({ mode: 'overlay' });
    await write(7, 1);
    await qemu.kill();
    await vm.close();
    const fixed = await cli('doctor', image, '--fix');
    expect(fixed).toMatchObject({ code: 0, stdout: expect.stringContaining('bring the overlays’ data') });
    await using disk = await openDisk(image);
    expect(Array.from(await (await disk.changes({ from: first.pit })).ranges())).toEqual([MiB, MiB]);
    const raw = join(folder.path, 'raw');
    await qemuImg('convert', '-O', 'raw', image, raw);
    expect((await readFile(raw)).subarray(MiB, 2 * MiB).every((byte) => byte === 7)).toBe(true);
  });

  test('where they cannot be told, there is no overlay', async () => {
    await start('a.qcow2');
    // A monitor that another process hands on: who is behind it cannot be seen.
    const path = join(folder.path, 'proxy');
    const proxy = net.createServer((client) => {
      const monitor = net.connect(qemu.qmpPath);
      client.pipe(monitor).pipe(client);
      for (const socket of [client, monitor]) socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(path, resolve));
    try {
      await using vm = await connectVm(path, { nbdSocket: server });
      const refused = await refusalOf(vm.begin({ mode: 'overlay', scratch: { folder: scratch.path } }));
      expect(refused).toMatchObject({
        code: 'ERR_CBT_UNSUPPORTED',
        message: expect.stringContaining('relative to a folder of its own (a.qcow2)'),
      });
      const session = await vm.begin({ scratch: { folder: scratch.path } });
      await session.commit();
    } finally {
      proxy.close();
    }
  });
});

describe('QEMU runs as another user', () => {
  const NOBODY = 65534;
  beforeEach(async () => {
    await chown(folder.path, NOBODY, NOBODY);
    await chown(image, NOBODY, NOBODY);
    await start(image, ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']);
  });

  test.each(MODES)('%s works, and the session’s files are QEMU’s alone', async (mode) => {
    await chmod(scratch.path, 0o755);
    await using vm = await connectVm(qemu.qmpPath, { nbdSocket: server });
    const session = await vm.begin({ mode, scratch: { folder: scratch.path } });
    await write(7, 1);
    await session.check();
    await session.commit();
    expect(await readdir(scratch.path)).toEqual([]);
  });

  test('a folder that it may not enter is named, with who and how', async () => {
    const closed = join(scratch.path, 'closed');
    await mkdir(closed, { mode: 0o700 });
    await chmod(scratch.path, 0o755);
    await using vm = await connectVm(qemu.qmpPath, { nbdSocket: server });
    for (const mode of MODES) {
      const refused = await refusalOf(vm.begin({ mode, scratch: { folder: closed } }));
      expect(refused).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        message: expect.stringMatching(
          new RegExp(`Permission denied.*user ${NOBODY}, which may not enter ${closed};.*--scratch`),
        ),
      });
    }
    expect(await readdir(closed)).toEqual([]);
  });
});

describe('QEMU has other files at the same path', () => {
  test('that is said, and a folder that both see does', async () => {
    const hidden = join(scratch.path, 'hidden');
    await mkdir(hidden);
    const script = `mount -t tmpfs none ${hidden} && exec "$@"`;
    await start(image, ...['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh']);
    vi.stubEnv('TMPDIR', hidden);
    const vm = ['--vm', qemu.qmpPath];
    const { control } = qemu;
    await control.execute('block-export-del', { id: 'guest', mode: 'hard' });
    await control.execute('nbd-server-stop');
    for (const command of [
      ['begin', ...vm],
      ['changes', `qmp:${qemu.qmpPath}#a`, '--from', '*'],
    ]) {
      const refused = await cli(...command);
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(`other files at ${hidden}`) });
      expect(refused.stderr).toContain('--scratch');
    }
    expect(await readdir(hidden)).toEqual([]);
    const seen = ['--scratch', scratch.path];
    expect(await cli('changes', `qmp:${qemu.qmpPath}#a`, '--from', '*', ...seen)).toMatchObject({ code: 0 });
    const begun = await cli('begin', ...vm, ...seen, '--json');
    expect(begun.code).toBe(0);
    const { session, pit } = JSON.parse(begun.stdout);
    // A later question finds the session's server, whatever folder it is in.
    const asked = await cli('changes', `qmp:${qemu.qmpPath}#a`, '--from', pit, '--session', session);
    expect(asked).toMatchObject({ code: 0 });
    expect(await cli('changes', `qmp:${qemu.qmpPath}#a`, '--from', '*')).toMatchObject({ code: 0 });
    expect(await cli('commit', ...vm, '--session', session)).toMatchObject({ code: 0 });
    expect(await readdir(scratch.path)).toEqual(['hidden']);
  });
});

describe('an image that QEMU could not open again by its name', () => {
  const refusedBegin = async (): Promise<unknown> => {
    await using vm = await connectVm(qemu.qmpPath, { nbdSocket: server });
    const first = await vm.begin({ scratch: { folder: scratch.path } });
    await first.commit();
    const refused = await refusalOf(vm.begin({ mode: 'overlay', scratch: { folder: scratch.path } }));
    // The guest writes on, and another session works.
    await write(7, 1);
    await using next = await vm.begin({ scratch: { folder: scratch.path } });
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
    return refused;
  };

  test('because it was moved: no overlay is put on it', async () => {
    await start(image);
    await rename(image, join(folder.path, 'moved.qcow2'));
    expect(await refusedBegin()).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      message: expect.stringMatching(/open the image of a again by its name.*No such file/),
    });
  });

  test('because another file has its place: no overlay is put on it', async () => {
    await start(image);
    await rename(image, join(folder.path, 'moved.qcow2'));
    await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
    expect(await refusedBegin()).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      message: expect.stringContaining('another file has that name by now'),
    });
  });
});
