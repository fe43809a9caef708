/** How much a file system can still take, as the system tells it. */

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { realPathAsText } from './textPath.js';

/** Room where a path is. */
export interface FreeSpace {
  /** Bytes that we can still write there; null where the file system does not tell (some of FUSE). */
  bytes: number | null;
  /** The folder that was asked. */
  folder: string;
}

/**
 * Room for a file that is there to grow. Both the file and its folder are asked, for a quota of a project is seen through
 * the folder alone; quotas of users are not seen.
 */
export async function freeSpaceFor(file: string): Promise<FreeSpace> {
  const real = await realPathAsText(file);
  const folder = dirname(real);
  const [ofFile, ofFolder] = await Promise.all([freeBytes(real), freeBytes(folder)]);
  return { bytes: ofFile === null || ofFolder === null ? ofFolder : Math.min(ofFile, ofFolder), folder };
}

/** Room for new files in a folder. */
export async function freeSpaceIn(folder: string): Promise<FreeSpace> {
  return { bytes: await freeBytes(folder), folder };
}

async function freeBytes(path: string): Promise<number | null> {
  const { blocks, bavail, bfree, bsize } = await statfs(path);
  if (blocks === 0) return null;
  // What is set aside for root can be had by root.
  return (process.geteuid?.() === 0 ? bfree : bavail) * bsize;
}

/** Whether an error says that a disk or a quota is full. */
export function isNoSpace(error: unknown): boolean {
  const { code, details } = error as { code?: unknown; details?: Record<string, unknown> };
  return [code, details?.['errno']].some((errno) => errno === 'ENOSPC' || errno === 'EDQUOT');
}
