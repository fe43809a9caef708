/** A folder as a target: an object is a file. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { invalidArgument, throwIfAborted } from '../../core/errors.js';
import { text } from '../../core/options.js';
import { isMissing, onFile } from '../../linux/fileFault.js';
import { openRegularFile } from '../../linux/regularFile.js';
import { syncFolder } from '../../linux/stable.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import type { BackupTarget, TargetRead, TargetWrite } from '../target.js';

const KEY = /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(\/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*$/;
const CHUNK_BYTES = 1 << 20;

/**
 * Objects as files of a folder, which is made when something is written. Nothing that is there is replaced, and no link is followed.
 * @param path Of the folder.
 * @returns The target; nothing is made before the first run.
 * @example
 * ```ts
 * const target = folderTarget('/backup/objects');
 * ```
 */
export function folderTarget(path: string): BackupTarget {
  text(path, 'path');
  return new FolderTarget(resolve(path));
}

class FolderTarget implements BackupTarget {
  constructor(readonly name: string) {}

  async write(key: string, data: AsyncIterable<Uint8Array>, { signal }: TargetWrite): Promise<void> {
    const path = this.#path(key);
    await this.#makeFolder(dirname(path));
    await writeWholeFile(
      path,
      async (file) => {
        for await (const piece of data) {
          throwIfAborted(signal);
          for (let at = 0; at < piece.length; )
            at += (await file.write(piece, at, piece.length - at)).bytesWritten;
        }
      },
      { existing: 'refuse', links: 'refuse', mode: 0o640 },
    );
  }

  async *read(
    key: string,
    { offset = 0, length = Number.POSITIVE_INFINITY, signal }: TargetRead = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const path = this.#path(key);
    await using file = await onFile(path, 'reading', () => openRegularFile(path));
    for (let at = offset, left = length; left > 0; ) {
      throwIfAborted(signal);
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, left));
      const { bytesRead } = await onFile(path, 'reading', () => file.read(chunk, 0, chunk.length, at));
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
      at += bytesRead;
      left -= bytesRead;
    }
  }

  async *list(prefix: string): AsyncGenerator<string, void, undefined> {
    const found = await readdir(this.name, { recursive: true, withFileTypes: true }).catch(
      (error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      },
    );
    for (const entry of found) {
      if (!entry.isFile()) continue;
      const key = join(entry.parentPath, entry.name).slice(this.name.length + 1);
      if (key.startsWith(prefix) && KEY.test(key) && !key.endsWith('.part')) yield key;
    }
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await onFile(path, 'removing', () => rm(path, { force: true }));
  }

  async #makeFolder(folder: string): Promise<void> {
    const made = await onFile(folder, 'making', () => mkdir(folder, { recursive: true, mode: 0o750 }));
    // A name lasts when the folder that has it does.
    if (made !== undefined)
      for (let at = folder; at.length >= made.length; at = dirname(at))
        await onFile(dirname(at), 'syncing', () => syncFolder(dirname(at)));
  }

  #path(key: string): string {
    if (!KEY.test(key)) throw invalidArgument('key', key, 'lower-case letters, digits, "-", "." and "/"');
    return join(this.name, key);
  }
}
