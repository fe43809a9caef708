/**
 * Opening a file that somebody else may have put there: a regular file, or nothing. A symbolic link would lead elsewhere, a
 * FIFO would wait for its other end for ever, and opening a device can have effects.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';

/** Opens it to read. System errors come as they are; `ERR_CBT_CORRUPT_IMAGE` for what is no regular file. */
export async function openRegularFile(path: string): Promise<FileHandle> {
  requireRegularFile(path, await lstat(path));
  return openAsRegular(path, constants.O_RDONLY);
}

/** Opens it to read and write; made where there is none. System errors come as they are; `ERR_CBT_CORRUPT_IMAGE` for what is no regular file. */
export function openOrMakeRegularFile(path: string, mode: number): Promise<FileHandle> {
  return openAsRegular(path, constants.O_RDWR | constants.O_CREAT, mode);
}

async function openAsRegular(path: string, flags: number, mode?: number): Promise<FileHandle> {
  const file = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, mode);
  try {
    // What is open, whatever has the name by now.
    requireRegularFile(path, await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function requireRegularFile(path: string, info: Stats): void {
  if (info.isFile()) return;
  throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} is ${kindOf(info)}, expected a regular file`, {
    details: { path },
  });
}

/** In words, what a file is that is no regular one. */
export function kindOf(info: Stats): string {
  if (info.isSymbolicLink()) return 'a symbolic link';
  if (info.isDirectory()) return 'a folder';
  if (info.isFIFO()) return 'a FIFO';
  if (info.isSocket()) return 'a socket';
  return 'a device';
}
