/** A file system for one life after the other: small, of no disk, and full at a word. For root. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SIZE_BYTES = 64 << 20;

export class Space {
  private constructor(readonly path: string) {}

  static async mount(): Promise<Space> {
    const path = await mkdtemp(join(tmpdir(), 'torture-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'tmpfs', path]);
    return new Space(path);
  }

  /** Leaves no byte free: it becomes as small as what is in it, which costs nothing however large it is. */
  async fill(): Promise<void> {
    const { blocks, bavail, bsize } = await statfs(this.path);
    await this.#resize((blocks - bavail) * bsize);
  }

  /** As much room as at first. */
  async empty(): Promise<void> {
    await this.#resize(SIZE_BYTES);
  }

  /** Nothing is in it any more. */
  async clear(): Promise<void> {
    for (const name of await readdir(this.path)) await rm(join(this.path, name), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await rmdir(this.path);
  }

  async #resize(sizeBytes: number): Promise<void> {
    await run('mount', ['-o', `remount,size=${sizeBytes}`, this.path]);
  }
}
