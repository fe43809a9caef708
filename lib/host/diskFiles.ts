/** The wiring of Parallels disks: which files a `.hdd` folder, its descriptor or a `.hds` file stands for. */
import { basename, dirname } from 'node:path';
import { DESCRIPTOR, findDiskFiles } from '../backend/image/parallels/diskFiles.js';
import { findFolder } from '../backend/image/place.js';

/** A descriptor stands for the folder that it is in: one disk has one path. */
export function diskPath(path: string): string {
  return basename(path) === DESCRIPTOR ? dirname(path) : path;
}

/** The files that tell of a write to the disk: of a `.hdd` folder its images and its descriptor, else the file itself. */
export async function filesOfDisk(
  path: string,
  format?: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const folder = await findFolder(path, format ?? null);
  if (folder === null) return [path];
  const { images, descriptor } = await findDiskFiles(folder, signal);
  const files = images.map((image) => image.path);
  return descriptor === null ? files : [...files, descriptor];
}
