/** Bringing files and names to stable storage. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { onFile } from './fileFault.js';

/** How file systems say that they have nothing to do for a folder. */
const NOTHING_TO_DO: readonly unknown[] = ['EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS'];

/** Brings a file's data to stable storage. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes what was made, renamed or removed in the folder last through a loss of power. */
export async function syncFolder(path: string): Promise<void> {
  await onFile(path, 'bringing the folder to stable storage', async () => {
    await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await syncOpenFolder(folder);
  });
}

/** As {@link syncFolder}, wherever the folder is by now. */
export async function syncOpenFolder(folder: FileHandle): Promise<void> {
  try {
    await folder.sync();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && NOTHING_TO_DO.includes(error.code))) throw error;
  }
}
