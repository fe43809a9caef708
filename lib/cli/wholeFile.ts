/** Files that are there whole or not at all: written to a temporary name, synced, and then given their own. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

export async function writeWholeFile(path: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'wx', 0o666);
  try {
    await fill(file);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
