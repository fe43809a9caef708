import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CbtError } from '../../../lib/core/errors.js';
import { isHeld, tryHold } from '../../../lib/linux/kernelLock.js';
import { lstatOrNull } from '../../../lib/linux/target.js';
import { atEveryStep } from '../../helpers/atEveryStep.js';
import { fileFaults } from '../../helpers/fileFaults.js';
import { withFolder } from '../../helpers/qemuTools.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) killAll(child);
  vi.unstubAllEnvs();
});

/** With everything that it started. */
function killAll({ pid = 0 }: ChildProcess): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Another program that holds the lock, perhaps in namespaces of its own; killed at the test's end. */
async function holder(path: string, mode: '-x' | '-s' = '-x', front: string[] = []): Promise<ChildProcess> {
  const command = [...front, 'flock', '-n', mode, path, 'sh', '-c', 'echo held; exec sleep 600'];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  children.push(child);
  expect(String((await once(child.stdout as NodeJS.ReadableStream, 'data'))[0])).toBe('held\n');
  return child;
}

async function isFreeSoon(path: string): Promise<void> {
  const lock = await tryHold(path, { waitMs: 10_000 });
  expect(lock).not.toBeNull();
  await lock?.release();
}

/** Who takes it: the addon, and the program where there is none. */
describe.each(['auto', 'script'])('a lock that the kernel holds, kernel %s', (kernel) => {
  beforeEach(() => {
    vi.stubEnv('QEMU_CBT_KERNEL', kernel);
  });

  test('one holder at a time, this process included, and the next when it let go', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      expect(await isHeld(path)).toBe(false);
      const first = await tryHold(path, { create: 0o600 });
      expect(await isHeld(path)).toBe(true);
      expect(await tryHold(path, { waitMs: 0 })).toBeNull();
      expect(await tryHold(path, { mode: 'shared', waitMs: 0 })).toBeNull();
      await first?.release();
      expect(await isHeld(path)).toBe(false);
      await isFreeSoon(path);
    }));

  test('many hold it shared; lookers do not count them, a writer waits for them', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      const one = await tryHold(path, { create: 0o600, mode: 'shared' });
      const two = await tryHold(path, { mode: 'shared' });
      expect(two).not.toBeNull();
      expect(await isHeld(path)).toBe(false);
      expect(await tryHold(path, { waitMs: 0 })).toBeNull();
      await one?.release();
      expect(await tryHold(path, { waitMs: 0 })).toBeNull();
      await two?.release();
      await isFreeSoon(path);
    }));

  test.each([
    ['as it is', []],
    ['in a PID namespace', ['unshare', '--pid', '--fork', '--mount-proc']],
    ['in a network, mount, host name and PID namespace', ['unshare', '-p', '-f', '-n', '-m', '-u']],
  ])('another program %s is seen, and its kill -9 frees it', (_, front) =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      const other = await holder(path, '-x', front);
      expect(await isHeld(path)).toBe(true);
      expect(await tryHold(path, { waitMs: 50 })).toBeNull();
      killAll(other);
      await isFreeSoon(path);
    }),
  );

  test('whoever was given the descriptor holds on when we let go', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      const lock = await tryHold(path, { create: 0o600 });
      const heir = spawn('sleep', ['600'], {
        stdio: ['ignore', 'ignore', 'ignore', lock?.file.fd as number],
        detached: true,
      });
      children.push(heir);
      await lock?.release();
      expect(await isHeld(path)).toBe(true);
      expect(await tryHold(path, { waitMs: 0 })).toBeNull();
      killAll(heir);
      await isFreeSoon(path);
    }));

  test('other children of ours do not get it', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      const lock = await tryHold(path, { create: 0o600 });
      children.push(spawn('sleep', ['600'], { stdio: 'ignore', detached: true }));
      await lock?.release();
      expect(await isHeld(path)).toBe(false);
    }));

  test('what was removed or replaced between opening and locking is not taken for the lock', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      const first = await tryHold(path, { create: 0o600 });
      // A taker waits on the file that goes now.
      const waiting = tryHold(path, { create: 0o600, waitMs: 10_000 });
      await first?.remove();
      const second = await waiting;
      expect(second).not.toBeNull();
      expect(await isHeld(path)).toBe(true);
      await writeFile(join(folder, 'other'), '');
      await rename(join(folder, 'other'), path);
      expect(await isHeld(path)).toBe(false);
      // The file of that name is another's by now.
      await second?.remove();
      expect(await readdir(folder)).toEqual(['lock']);
    }));

  test('lookers never make a taker fail, nor each other', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      await writeFile(path, '');
      const look = async (): Promise<void> => {
        for (let times = 0; times < 10; times += 1) expect(await isHeld(path)).toBe(false);
      };
      await Promise.all([look(), look(), look()]);
      let looking = true;
      const lookers = [0, 1].map(async () => {
        while (looking) await isHeld(path);
      });
      for (let round = 0; round < 5; round += 1) {
        const lock = await tryHold(path, { waitMs: 60_000 });
        expect(lock).not.toBeNull();
        await lock?.release();
      }
      looking = false;
      await Promise.all(lookers);
    }));

  test.each([
    ['a symbolic link', (path: string) => symlink('elsewhere', path)],
    ['a folder', (path: string) => mkdir(path)],
    ['no regular file', (path: string) => promisify(execFile)('mkfifo', [path])],
  ])('%s in its place is refused at once', (what, make) =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      await make(path);
      const refused = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', message: expect.stringContaining(what) };
      await expect(tryHold(path, { create: 0o600 })).rejects.toMatchObject(refused);
      await expect(isHeld(path)).rejects.toMatchObject(refused);
      expect(await readdir(folder)).toEqual(['lock']);
    }),
  );

  test('a missing program, and a file system without locks, are errors that say so', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      vi.stubEnv('QEMU_CBT_FLOCK', join(folder, 'none'));
      await expect(tryHold(path, { create: 0o600 })).rejects.toMatchObject({
        code: 'ERR_CBT_UNSUPPORTED',
        message: expect.stringContaining('util-linux'),
      });
      const fake = join(folder, 'flock');
      await writeFile(fake, '#!/bin/sh\necho "flock: 3: No locks available" >&2\nexit 71\n');
      await chmod(fake, 0o755);
      vi.stubEnv('QEMU_CBT_FLOCK', fake);
      for (const ask of [tryHold, isHeld]) {
        const error = await ask(path).then(
          () => null,
          (thrown: CbtError) => thrown,
        );
        expect(error).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
        expect(error?.message).toContain('No locks available');
      }
    }));

  test.each(['EIO', 'EACCES'] as const)('%s at any call is a coded error with the path', (kind) =>
    withFolder(async (folder) => {
      const path = join(folder, 'lock');
      const met = await atEveryStep(
        await fileFaults(kind),
        () => rm(path, { force: true }),
        async () => {
          const lock = await tryHold(path, { create: 0o600 });
          try {
            await isHeld(path);
            await lstatOrNull(path);
          } finally {
            await lock?.remove();
          }
        },
        async ({ error }) => {
          if (error !== undefined)
            expect(error).toMatchObject({
              code: 'ERR_CBT_BACKEND_UNAVAILABLE',
              details: { path, errno: kind },
            });
        },
      );
      expect(met).toBeGreaterThan(2);
    }),
  );

  test('a missing file is not made unless asked for', () =>
    withFolder(async (folder) => {
      await expect(tryHold(join(folder, 'lock'))).rejects.toMatchObject({
        details: { errno: 'ENOENT' },
      });
      expect(await readdir(folder)).toEqual([]);
    }));
});
