/** The small files of a backup folder, and what brings the others to stable storage. */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import * as stable from '../linux/stable.js';
import { writeWholeFile } from '../linux/wholeFile.js';
import { isMissing, onFile } from './fileFault.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Writes a file of the folder as a whole; the old one stays whole until the new one is on stable storage. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeWholeFile(path, (file) => file.writeFile(text), { mode: 0o640, links: 'refuse' });
}

/** Brings a file's data to stable storage. */
export async function syncFile(path: string): Promise<void> {
  await onFile(path, 'syncing', () => stable.syncFile(path));
}

/** Makes renames and removals in the folder last. */
export async function syncFolder(path: string): Promise<void> {
  await onFile(path, 'syncing', () => stable.syncFolder(path));
}

/**
 * The text of a small file of the folder; null when there is none. The folder is somebody else's text: only a regular file is
 * read, never what a link points to, and nothing that would wait for a writer or never end.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string | null> {
  return onFile(path, 'reading', async () => {
    const refuse = (what: string): never => {
      throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} ${what}`, { details: { path } });
    };
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
      if (isMissing(error)) return null;
      const code = error instanceof Error && 'code' in error ? error.code : null;
      if (code === 'ELOOP') return refuse('is a symbolic link, not a file');
      // A socket, or a device without a driver.
      if (code === 'ENXIO' || code === 'ENODEV') return refuse('is not a regular file');
      throw error;
    });
    if (file === null) return null;
    try {
      const found = await file.stat();
      if (!found.isFile()) refuse('is not a regular file');
      if (found.size > maxBytes) refuse(`has ${found.size} bytes, at most ${maxBytes} are right`);
      // One byte more than it has: a file that grows meanwhile is none of ours.
      const { buffer, bytesRead } = await file.read(Buffer.alloc(found.size + 1), 0, found.size + 1, 0);
      if (bytesRead > found.size) refuse('grew while it was read');
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  });
}

/** Removes a file that may be gone already. */
export async function removeFile(path: string): Promise<void> {
  await onFile(path, 'removing', () => rm(path, { force: true }));
}
