/** A file system of its own that is small enough to be filled; a tmpfs, so the tests that use it run as root. */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class SmallFileSystem {
  private constructor(readonly path: string) {}

  static async mount(sizeBytes: number): Promise<SmallFileSystem> {
    const path = await mkdtemp(join(tmpdir(), 'small-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path]);
    return new SmallFileSystem(path);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Leaves this many bytes free, in whole pages. */
  async fill(leaveBytes = 0): Promise<void> {
    await this.empty();
    const room = (await this.freeBytes()) - leaveBytes;
    const file = await open(this.file('fill'), 'w');
    try {
      await file.write(Buffer.alloc(Math.max(0, room)));
    } finally {
      await file.close();
    }
  }

  /** Takes back what `fill` took. */
  async empty(): Promise<void> {
    await rm(this.file('fill'), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Makes a folder one that nobody can write to, root included; those who have files of it open go on. Returns the way back. */
export async function sealFolder(folder: string): Promise<() => Promise<void>> {
  await run('mount', ['--bind', folder, folder]);
  await run('mount', ['-o', 'remount,bind,ro', folder]);
  return async () => void (await run('umount', [folder]));
}
