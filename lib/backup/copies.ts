/**
 * Copies of images: two files of one history, each with a life of its own from then on. A disk that was only moved leaves
 * nothing behind under its old path.
 */
import { stat } from 'node:fs/promises';
import { openDisk } from '../host/open.js';
import type { DiskIdentity, SourceFacts } from './source.js';

/**
 * Whether the history of this disk also goes on in the image of that path. What is there and cannot be looked into is taken
 * for a copy: that costs a full backup, and two disks taken for one could cost the last state of one of them. A VM may have
 * left its old files where they were when its disks moved (`sameVm`).
 */
export async function isCopy(
  path: string | null,
  disk: DiskIdentity,
  facts: SourceFacts,
  { sameVm = false }: { sameVm?: boolean } = {},
): Promise<boolean> {
  if (path === null || disk.image === null || path === disk.image || path === disk.disk) return false;
  const here = [...facts.disks, ...facts.others].find(
    ({ image, disk: name }) => image === path || name === path,
  );
  if (here !== undefined) return here.error !== undefined || here.epoch === disk.epoch;
  if (sameVm) return false;
  const [there, own] = await Promise.all([identityOf(path), identityOf(disk.image)]);
  if (there === null || there === own) return false;
  try {
    await using other = await openDisk(path, { format: 'qcow2' });
    return (await other.pits()).epoch === disk.epoch;
  } catch {
    return true;
  }
}

/** Device and inode of a regular file; null where there is none. */
export async function identityOf(path: string): Promise<string | null> {
  try {
    const found = await stat(path, { bigint: true });
    return found.isFile() ? `${found.dev}:${found.ino}` : null;
  } catch {
    return null;
  }
}
