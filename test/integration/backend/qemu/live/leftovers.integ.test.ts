/**
 * What a session leaves when QEMU or our process ends in the middle of it: doctor names it and changes nothing, `--fix` returns
 * the disk to clean, and what the guest wrote is where it belongs. The whole states of a killed QEMU are gone through.
 */
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import type { Session } from '../../../../../lib/core/session.js';
import type { BeginVmOptions, Vm } from '../../../../../lib/core/vm.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { atCommand } from '../../../../helpers/atCommand.js';
import { STEPS_APART, someSteps } from '../../../../helpers/atEveryStep.js';
import { cli } from '../../../../helpers/cli.js';
import { DoomedSessions } from '../../../../helpers/doomedSession.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
let image: string;
let daemon: StorageDaemon;
let vm: Vm;

async function startVm(): Promise<void> {
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
  await startVm();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const begin = (options: BeginVmOptions = {}): Promise<Session> =>
  vm.begin({ nbdSocket: daemon.nbdPath, scratch: { folder: folder.path }, ...options });
const fill = async (byte: number, mebibyte: number): Promise<void> =>
  void (await daemon.guestIo('a', `write -P ${byte} ${mebibyte}M 1M`, 'flush'));
async function kill(): Promise<void> {
  await daemon.process.kill();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
}
const folders = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => name.startsWith('cbt-'));
async function content(): Promise<Buffer> {
  const raw = join(folder.path, 'content.raw');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
  const bytes = await readFile(raw);
  await rm(raw);
  return bytes;
}
const filledWith = (bytes: Buffer, byte: number, mebibyte: number): boolean =>
  bytes.subarray(mebibyte * MiB, (mebibyte + 1) * MiB).every((b) => b === byte);

describe('QEMU killed in a session in overlay mode', () => {
  test('doctor tells it, --fix brings what the guest wrote into the image, and no change is missing', async () => {
    const first = await begin();
    await first.commit();
    await fill(1, 1);
    const session = await begin({ mode: 'overlay' });
    await fill(2, 2);
    await kill();

    const before = await readFile(image);
    const seen = await cli('doctor', folder.path);
    expect(seen.code).toBe(5);
    expect(seen.stdout).toContain(session.pit);
    expect(seen.stdout).toContain('--fix would: bring the overlays’ data into the images');
    expect(await readFile(image)).toEqual(before);
    expect(filledWith(await content(), 2, 2)).toBe(false);

    const fixed = await cli('doctor', image, '--fix', '--json');
    expect(fixed.code).toBe(0);
    expect(JSON.parse(fixed.stdout)).toMatchObject({ fixed: [{ what: expect.any(String) }] });
    expect(JSON.parse(fixed.stdout).fixed[0].error).toBeUndefined();
    expect(filledWith(await content(), 2, 2)).toBe(true);
    expect(await folders()).toEqual([]);
    await using disk = await openDisk(image);
    expect((await disk.pits()).pits.map(({ pit }) => pit)).toEqual([first.pit]);
    expect(Array.from(await (await disk.changes({ from: first.pit })).ranges())).toEqual([MiB, 2 * MiB]);
    await startVm();
  });

  /** Begins a session, writes, and kills QEMU when the commit has written so much to the image. */
  async function killInTheCommit(writtenBytes: number): Promise<Session> {
    const first = await begin();
    await first.commit();
    const session = await begin({ mode: 'overlay' });
    await daemon.guestIo('a', 'write -P 9 0 60M', 'flush');
    const { execute } = QmpClient.prototype;
    vi.spyOn(QmpClient.prototype, 'execute').mockImplementation(function (this: never, command, args, more) {
      const slow = command === 'block-commit' ? { ...args, speed: 4 * MiB } : args;
      return execute.call(this, command, slow, more);
    });
    const before = await stat(image, { bigint: true });
    const ended = session.commit().catch((error: unknown) => error);
    for (;;) {
      const now = await stat(image, { bigint: true });
      const written = Number(now.blocks - before.blocks) * 512;
      if (now.mtimeNs !== before.mtimeNs && written >= writtenBytes) break;
    }
    await kill();
    vi.restoreAllMocks();
    expect(await ended).toBeInstanceOf(Error);
    return session;
  }

  test.each([
    ['as it begins', 0],
    ['in the middle', 4 * MiB],
  ])('killed in the commit, %s: the overlay has it all, and --fix commits it again', async (_, written) => {
    const session = await killInTheCommit(written);
    // What would take the proof away is refused meanwhile, and doctor does not do it by itself.
    for (const command of [['begin'], ['reset'], ['enable']]) {
      const refused = await cli(...command, image);
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('bring it back first') });
    }
    const fixed = await cli('doctor', image, '--fix');
    expect(fixed.stdout).toContain('fixed   sessions on');
    expect((await content()).subarray(0, 60 * MiB).every((b) => b === 9)).toBe(true);
    expect(fixed.stdout).not.toContain(session.pit);
    expect(await folders()).toEqual([]);
    await startVm();
  });

  test('killed in the commit, and the image written to since: both stay, and no history is reset', async () => {
    const session = await killInTheCommit(4 * MiB);
    await startVm();
    await fill(5, 63);
    await kill();
    const fixed = await cli('doctor', image, '--fix');
    expect(fixed.code).toBe(5);
    expect(fixed.stdout).toContain('does not prove that nobody wrote to it since');
    expect(fixed.stdout).toContain(session.pit);
    expect(await folders()).toHaveLength(1);
    expect(filledWith(await content(), 5, 63)).toBe(true);
    await using disk = await openDisk(image);
    expect((await disk.pits()).pits.map(({ pit }) => pit)).toContain(session.pit);
    await disk.close();
    // Joined by a person: nothing is left to lose.
    const [name = ''] = await folders();
    const overlay = join(folder.path, name, 'overlay-0.qcow2');
    await qemuImg('commit', '-q', '-d', '-f', 'qcow2', overlay);
    expect((await cli('doctor', image, '--fix')).code).toBe(0);
    expect(await folders()).toEqual([]);
    await startVm();
  });

  test('an image without room: --fix says so, and is done when there is', async () => {
    await killInTheCommit(4 * MiB);
    const [name = ''] = await folders();
    const [real, wrapper] = [process.env['QEMU_IMG'], join(folder.path, 'qemu-img.sh')];
    // The file may not grow.
    const size = Math.ceil((await stat(image)).size / 512);
    await writeFile(
      wrapper,
      `#!/bin/bash\n[ "$1" = commit ] && { trap '' XFSZ; ulimit -f ${Math.ceil(size / 2)}; }\nexec ${real ?? 'qemu-img'} "$@"\n`,
      { mode: 0o755 },
    );
    process.env['QEMU_IMG'] = wrapper;
    try {
      for (const attempt of [1, 2]) {
        const failed = await cli('doctor', image, '--fix');
        expect(failed.stdout, `attempt ${attempt}`).toMatch(/FAILED .*bring the overlays.*File too large/);
        expect(await folders()).toEqual([name]);
      }
    } finally {
      if (real === undefined) delete process.env['QEMU_IMG'];
      else process.env['QEMU_IMG'] = real;
    }
    await cli('doctor', image, '--fix');
    expect((await content()).subarray(0, 60 * MiB).every((b) => b === 9)).toBe(true);
    expect(await folders()).toEqual([]);
    expect((await cli('doctor', image)).code).toBe(0);
    await startVm();
  });

  test('a VM that was started without its overlay is told so, and nothing is thrown away', async () => {
    const first = await begin();
    await first.commit();
    await begin({ mode: 'overlay' });
    await fill(2, 2);
    await kill();
    await startVm();
    await fill(3, 3);

    const live = await cli('doctor', `qmp:${daemon.process.qmpPath}`, '--scratch', folder.path, '--fix');
    expect(live.code).toBe(5);
    expect(live.stdout).toContain('both cannot be had in one');
    expect(await folders()).toHaveLength(1);
    const next = await begin();
    expect(next.warnings.join()).toContain('is in the overlays in');
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
    await next.rollback();
    await daemon.process.terminate();
    await vm.close();
    await daemon[Symbol.asyncDispose]();
    // The image was written since: joining would mix two histories.
    const offline = await cli('doctor', image, '--fix');
    expect(offline.code).toBe(5);
    expect(offline.stdout).toContain('does not prove that nobody wrote to it since');
    expect((await folders()).length).toBe(1);
    expect(filledWith(await content(), 3, 3)).toBe(true);
    await startVm();
  });

  test('at every fifth command: doctor --fix returns to clean, or says what only a person can decide', async () => {
    let mended = 0;
    const { from, every } = someSteps(5, 2);
    for (let n = from, through = false; !through; n += every) {
      const base = await begin();
      await base.commit();
      await fill(n % 200, 1);
      // Close the image once, so that the chain is in the file.
      await daemon.process.terminate();
      await vm.close();
      await daemon[Symbol.asyncDispose]();
      await startVm();
      const sent = atCommand(n, () => daemon.process.child.kill('SIGKILL'));
      const work = async (): Promise<void> => {
        const session = await begin({ mode: 'overlay' });
        await fill((n % 200) + 1, 5);
        await session.commit();
      };
      const ended = await work().catch((error: unknown) => error);
      through = sent() < n;
      if (through) break;
      expect(ended, `command ${n}`).toBeInstanceOf(Error);
      await daemon.process.ended;
      await vm.close();
      await daemon[Symbol.asyncDispose]();

      const fixed = await cli('doctor', image, '--fix');
      if (fixed.code === 0) {
        mended += 1;
        expect(await folders(), `command ${n}: ${fixed.stdout}`).toEqual([]);
        expect((await cli('doctor', image)).code).toBe(0);
      } else {
        expect(fixed.stdout, `command ${n}`).toMatch(/either may be the newer one|does not prove/);
        for (const name of await folders()) await rm(join(folder.path, name), { recursive: true });
        await cli('doctor', image, '--fix');
      }
      // Whatever it was, the next session works, and knows how far it can look back.
      await startVm();
      const next = await begin();
      expect(next.disks[0]?.error, `command ${n}`).toBeUndefined();
      await next.rollback();
      await vm.reset();
      await vm.disable();
    }
    expect(mended).toBeGreaterThan(3 / STEPS_APART);
  });
});

test('a QEMU whose monitor is not seen from here, as in another container, is not gone: its session stays', async () => {
  for (const mode of ['fleece', 'overlay'] as const) {
    const { pit: session } = await begin({ mode, detached: true });
    const { qmpPath } = daemon.process;
    await vm.close();
    await rename(qmpPath, `${qmpPath}.hidden`);
    const seen = await cli('doctor', image, '--fix');
    expect(seen.stdout).toContain('may be open');
    expect(await folders()).toHaveLength(1);
    await rename(`${qmpPath}.hidden`, qmpPath);
    vm = await connectVm(qmpPath, { nbdSocket: daemon.nbdPath });
    const resumed = await vm.resume(session);
    await resumed.check();
    await resumed.rollback();
  }
});

test('QEMU shut down in order in the middle of a session: the point that nobody committed is no base', async () => {
  const first = await begin();
  await first.commit();
  await fill(1, 1);
  const open = await begin();
  await fill(2, 2);
  expect((await daemon.process.terminate()).code).toBe(0);
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  expect((await cli('doctor', image)).code).toBe(5);
  await startVm();
  const next = await begin();
  expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
  await using disk = await next.openDisk('a');
  expect(Array.from(await (await disk.changes({ from: first.pit })).ranges())).toEqual([MiB, 2 * MiB]);
  expect(await refusalOf(disk.changes({ from: open.pit }))).toMatchObject({ reason: 'UNKNOWN_PIT' });
  await next.commit();
  expect(await folders()).toEqual([]);
});

test('QEMU killed with a tracked disk: doctor says so, --fix starts a new history, the old point stays refused', async () => {
  const first = await begin();
  await first.commit();
  await daemon.process.terminate();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await startVm();
  await fill(1, 1);
  await kill();
  expect(await cli('doctor', image)).toMatchObject({ code: 3 });
  const fixed = await cli('doctor', image, '--fix');
  expect(fixed.code).toBe(0);
  expect(fixed.stdout).toContain('fixed');
  await using disk = await openDisk(image);
  expect(await refusalOf(disk.changes({ from: first.pit }))).toMatchObject({ code: 'ERR_CBT_UNKNOWN_PIT' });
  await startVm();
});

describe('on a VM that runs', () => {
  const target = (): string[] => [`qmp:${daemon.process.qmpPath}`, '--scratch', folder.path];

  test('a session that is in use is named and left alone, --fix or not', async () => {
    await using session = await begin({ mode: 'overlay' });
    await fill(1, 1);
    for (const fix of [[], ['--fix']]) {
      const seen = await cli('doctor', ...target(), ...fix);
      expect(seen.stdout).toContain(`session ${session.pit} is open`);
      expect(seen.code).toBe(0);
    }
    await session.check();
    await session.commit();
  });

  test('a session whose process was killed is ended by --fix', async () => {
    await vm.close();
    await using doomed = await DoomedSessions.build();
    for (const mode of ['fleece', 'overlay'] as const) {
      const { qmpPath: socket } = daemon.process;
      const doom = {
        socket,
        nbdSocket: daemon.nbdPath,
        scratch: folder.path,
        from: '*',
        mode,
        dieOpen: true,
      };
      expect(await doomed.run(doom)).toBe(true);
      await fill(4, 4);
      const seen = await cli('doctor', ...target());
      expect(seen.stdout).toContain('was begun by a process that is gone');
      expect(seen.code).toBe(5);
      const fixed = await cli('doctor', ...target(), '--fix');
      expect(fixed.code, fixed.stdout).toBe(0);
      expect(await folders()).toEqual([]);
      expect((await cli('doctor', ...target())).code).toBe(0);
    }
    await startVmAgain();
  });

  async function startVmAgain(): Promise<void> {
    vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    await fill(5, 5);
  }
});
