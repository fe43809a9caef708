/** Files that survive a power cut whole or not at all: written to a temporary name, synced, renamed, the folder synced. */
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CbtError } from '../core/errors.js';
import { isMissing, onFile } from './fileFault.js';
import { PART } from './names.js';

/** Writes a file as a whole; the old one stays whole until the new one is on stable storage. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = path + PART;
  await onFile(path, 'writing', async () => {
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o640);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  });
  await syncFolder(dirname(path));
}

/** Brings a file's data to stable storage. */
export async function syncFile(path: string): Promise<void> {
  await onFile(path, 'syncing', async () => {
    const file = await open(path, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** Makes renames and removals in the folder last. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** The text of a small file; null when there is none. */
export async function readSmallFile(path: string, maxBytes: number): Promise<string | null> {
  return onFile(path, 'reading', async () => {
    try {
      const { size } = await stat(path);
      if (size > maxBytes) {
        throw new CbtError(
          'ERR_CBT_CORRUPT_IMAGE',
          `${path} has ${size} bytes, at most ${maxBytes} are right`,
        );
      }
      return await readFile(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
}

/** Removes a file that may be gone already. */
export async function removeFile(path: string): Promise<void> {
  await onFile(path, 'removing', () => rm(path, { force: true }));
}
