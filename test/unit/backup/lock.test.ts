import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { chmod, link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LOCK_NAME, lockFolder } from '../../../lib/backup/lock.js';
import { isHeld } from '../../../lib/linux/kernelLock.js';
import { thisMachine } from '../../../lib/linux/machine.js';
import { withFolder } from '../../helpers/qemuTools.js';

vi.mock('node:fs/promises', { spy: true });
afterEach(() => {
  vi.mocked(fs.statfs).mockRestore();
});
/** As on sshfs. */
const FUSE = { type: 0x65735546 } as unknown as Awaited<ReturnType<typeof fs.statfs>>;

const BUSY = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };
const record = (machine: object, pid = 4_000_000) =>
  JSON.stringify({ since: '2026-01-01T00:00:00.000Z', owner: { pid, ...machine } });
const elsewhere = { host: 'other-host', bootId: 'b', machineId: 'm' };

describe('the lock of a backup folder', () => {
  test('one writer: a second is BUSY and hears who it is; nothing is left when it let go', () =>
    withFolder(async (folder) => {
      const first = await lockFolder(folder);
      const { owner } = JSON.parse(await readFile(join(folder, LOCK_NAME), 'utf8'));
      expect(owner).toEqual({ pid: process.pid, ...(await thisMachine()) });
      await expect(lockFolder(folder)).rejects.toMatchObject({
        ...BUSY,
        message: expect.stringContaining(`process ${process.pid} on ${owner.host}`),
      });
      await first.release();
      expect(await readdir(folder)).toEqual([]);
      await (await lockFolder(folder)).release();
    }));

  test('readers share it, and hold a writer off; the last one removes it', () =>
    withFolder(async (folder) => {
      const one = await lockFolder(folder, { shared: true });
      const two = await lockFolder(folder, { shared: true });
      await expect(lockFolder(folder)).rejects.toMatchObject(BUSY);
      await one.release();
      await expect(lockFolder(folder)).rejects.toMatchObject(BUSY);
      await two.release();
      expect(await readdir(folder)).toEqual([]);
      const writer = await lockFolder(folder);
      await expect(lockFolder(folder, { shared: true })).rejects.toMatchObject(BUSY);
      await writer.release();
    }));

  test.each([
    ['empty, as a loss of power leaves it', ''],
    ['damaged', '{'],
    ['of a process of this kernel, whatever its number', null],
    ['of another machine, on a disk that no other machine writes to', record(elsewhere)],
    [
      'of an earlier form',
      JSON.stringify({ token: 't', since: 's', owner: { pid: 1, startTime: '1', bootId: 'x', host: 'h' } }),
    ],
  ])('one that nobody holds is taken over: %s', (_, text) =>
    withFolder(async (folder) => {
      // The number of a process that runs proves nothing.
      await writeFile(join(folder, LOCK_NAME), text ?? record(await thisMachine(), process.ppid));
      const reader = await lockFolder(folder, { shared: true });
      await reader.release();
      await writeFile(join(folder, LOCK_NAME), text ?? record(await thisMachine(), process.ppid));
      const lock = await lockFolder(folder);
      expect(await isHeld(join(folder, LOCK_NAME))).toBe(true);
      await lock.release();
    }),
  );

  test('where locks do not reach other machines, another one’s record is never taken over, and says the way out', () =>
    withFolder(async (folder) => {
      vi.mocked(fs.statfs).mockResolvedValue(FUSE);
      const path = join(folder, LOCK_NAME);
      await writeFile(path, record(elsewhere));
      for (const shared of [false, true]) {
        await expect(lockFolder(folder, { shared })).rejects.toMatchObject({
          ...BUSY,
          message: expect.stringMatching(/other-host .*remove the file when no backup/),
        });
        expect(await readFile(path, 'utf8')).toBe(record(elsewhere));
        expect(await isHeld(path)).toBe(false);
      }
      // This machine's own, from before its last start.
      await writeFile(path, record({ ...(await thisMachine()), bootId: 'earlier' }));
      await (await lockFolder(folder)).release();
      // Its name alone, which a container may share, does not make it this machine.
      const { host } = await thisMachine();
      await writeFile(path, record({ ...elsewhere, host }));
      await expect(lockFolder(folder)).rejects.toMatchObject(BUSY);
    }));

  test('links, folders and FIFOs of that name are refused, and stay', () =>
    withFolder(async (folder) => {
      const made: ((path: string) => Promise<unknown>)[] = [
        (path) => symlink('elsewhere', path),
        (path) => mkdir(path),
        (path) => promisify(execFile)('mkfifo', [path]),
      ];
      for (const [index, make] of made.entries()) {
        const place = join(folder, String(index));
        await mkdir(place);
        await make(join(place, LOCK_NAME));
        for (const shared of [false, true])
          await expect(lockFolder(place, { shared })).rejects.toMatchObject({
            code: 'ERR_CBT_BACKEND_UNAVAILABLE',
            message: expect.stringContaining('remove it'),
          });
        expect(await readdir(place)).toEqual([LOCK_NAME]);
      }
    }));

  test('a folder on a file system that is read-only is read without a lock', async () => {
    await withFolder(async (folder) => {
      await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', folder]);
      try {
        const reader = await lockFolder(folder, { shared: true });
        await reader.release();
        await expect(lockFolder(folder)).rejects.toMatchObject({ details: { errno: 'EROFS' } });
      } finally {
        await promisify(execFile)('umount', [folder]);
      }
    });
  });

  test('a full file system does not keep a folder from being locked', async () => {
    await withFolder(async (folder) => {
      await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
      try {
        await writeFile(join(folder, 'full'), Buffer.alloc(1 << 20)).catch(() => undefined);
        const lock = await lockFolder(folder);
        expect(await readFile(join(folder, LOCK_NAME), 'utf8')).toBe('');
        await expect(lockFolder(folder)).rejects.toMatchObject(BUSY);
        await lock.release();
        expect(await readdir(folder)).toEqual(['full']);
      } finally {
        await promisify(execFile)('umount', [folder]);
      }
    });
  });

  test('the file of a folder that was copied with hard links is let go whole', () =>
    withFolder(async (folder) => {
      const lock = await lockFolder(folder);
      await mkdir(join(folder, 'copy'));
      await link(join(folder, LOCK_NAME), join(folder, 'copy', LOCK_NAME));
      await lock.release();
      expect(await readFile(join(folder, 'copy', LOCK_NAME), 'utf8')).toBe('');
      await chmod(join(folder, 'copy', LOCK_NAME), 0o600);
      await (await lockFolder(join(folder, 'copy'))).release();
    }));
});
