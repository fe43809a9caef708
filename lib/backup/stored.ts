/**
 * Whether the files of a layer are there as its manifest says: regular files, each with its recorded size. A layer whose
 * file is gone or cut off takes all that stand on it with it, so nothing new may be built there. No content is read.
 */
import { lstat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { isMissing, onFile } from './fileFault.js';
import type { BackupFolder } from './folder.js';
import type { DiskRun } from './manifest.js';

/**
 * Throws `ERR_CBT_CORRUPT_IMAGE` naming the first file that is not as it was written. Manifests of version 1 know no size of layers,
 * only what is stored in them.
 */
export async function requireStored(folder: BackupFolder, disk: DiskRun): Promise<void> {
  await requireFile(folder, disk.file, disk.fileBytes, disk.storedBytes);
  await requireFile(folder, disk.sums.file, disk.sums.bytes);
}

async function requireFile(
  folder: BackupFolder,
  name: string,
  sizeBytes: number | undefined,
  leastBytes = 0,
): Promise<void> {
  const path = folder.file(name);
  const refuse = (what: string): never => {
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${name} ${what}`, { details: { file: name } });
  };
  const found = await onFile(path, 'looking', () =>
    lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    }),
  );
  if (found === null) return refuse('is missing');
  if (!found.isFile()) refuse('is not a regular file');
  if (sizeBytes !== undefined && found.size !== sizeBytes)
    refuse(`has ${found.size} bytes, its manifest says ${sizeBytes}`);
  if (found.size < leastBytes) refuse(`has ${found.size} bytes, and ${leastBytes} were stored in it`);
}
