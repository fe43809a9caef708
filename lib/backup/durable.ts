/** The small files of a backup folder, and what brings the others to stable storage. */
import { close, constants, fstatSync, open, read } from 'node:fs';
import { rm } from 'node:fs/promises';
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
 * read, never what a link points to, and nothing that would wait for a writer or never end. A folder of years has thousands of them:
 * a descriptor and callbacks cost half of what a `FileHandle` does.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string | null> {
  return onFile(path, 'reading', async () => {
    const refuse = (what: string): never => {
      throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} ${what}`, { details: { path } });
    };
    const fd = await openToRead(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      const code = error instanceof Error && 'code' in error ? error.code : null;
      if (code === 'ELOOP') return refuse('is a symbolic link, not a file');
      // A socket, or a device without a driver.
      if (code === 'ENXIO' || code === 'ENODEV') return refuse('is not a regular file');
      throw error;
    });
    if (fd === null) return null;
    try {
      // Of an open file the system knows that without asking a disk.
      const found = fstatSync(fd);
      if (!found.isFile()) refuse('is not a regular file');
      if (found.size > maxBytes) refuse(`has ${found.size} bytes, at most ${maxBytes} are right`);
      // One byte more than it has: a file that grows meanwhile is none of ours.
      const buffer = Buffer.alloc(found.size + 1);
      const bytesRead = await readStart(fd, buffer);
      if (bytesRead > found.size) refuse('grew while it was read');
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await closeFd(fd);
    }
  });
}

function openToRead(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, (error, fd) => (error ? reject(error) : resolve(fd)));
  });
}

function readStart(fd: number, into: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, 0, into.length, 0, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function closeFd(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    close(fd, (error) => (error ? reject(error) : resolve()));
  });
}

/** Removes a file that may be gone already. */
export async function removeFile(path: string): Promise<void> {
  await onFile(path, 'removing', () => rm(path, { force: true }));
}
