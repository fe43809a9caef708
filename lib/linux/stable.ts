/** Bringing files and names to stable storage. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Makes what was made, renamed or removed in the folder last through a loss of power. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems have nothing to do for a folder, and say so.
    if (!(error instanceof Error && 'code' in error && error.code === 'EINVAL')) throw error;
  } finally {
    await folder.close();
  }
}
