/**
 * Files that a command writes where it is told to: whole or not at all, over an ordinary file if one is there, and never over the disk
 * that is read, a layer of it, or an image that a VM uses.
 */
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidArgument } from '../core/errors.js';
import { requireFree } from '../host/unused.js';
import { isOpenHere } from '../linux/holders.js';
import { writeWholeFile } from '../linux/wholeFile.js';

/** `disk` is what is read; its layers are recognised by being open. */
export async function writeOutput(
  path: string,
  disk: string,
  fill: (file: FileHandle) => Promise<void>,
): Promise<void> {
  await writeWholeFile(path, fill, {
    // A Parallels disk is a folder; its descriptor is read, and then closed.
    keep: [disk, join(disk, 'DiskDescriptor.xml')],
    requireFree: requireNotRead,
    long: true,
  });
}

async function requireNotRead(file: FileHandle, path: string): Promise<void> {
  if (await isOpenHere(file)) throw invalidArgument('file', path, 'another than those that are read');
  await requireFree(file, path);
}
