/** What a file is, whatever it is called: one file has many paths (hard and symbolic links, relative spellings). */
import { stat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';

/** Text that two paths share exactly when they lead to one file or one device; null where nothing can be seen. */
export async function fileIdentity(path: string): Promise<string | null> {
  try {
    const info = await stat(path, { bigint: true });
    // Two nodes of one device are two inodes.
    return info.isBlockDevice() ? `device ${info.rdev}` : `${info.dev}:${info.ino}`;
  } catch {
    return null;
  }
}

/**
 * Text that stays with a regular file over renames and restarts of the machine, and that no other of its file system has; null for a device, and
 * where nothing can be seen. (Numbers of file systems change with every start.)
 */
export async function lastingIdentity(path: string): Promise<string | null> {
  try {
    const info = await stat(path, { bigint: true });
    return info.isFile() ? `${info.ino}:${info.birthtimeNs}` : null;
  } catch {
    return null;
  }
}

/** Whether such a text never comes to another file later: the file system keeps when a file was made. */
export function tellsBirth(lasting: string): boolean {
  return !lasting.endsWith(':0');
}

/** Throws where two of the paths are one file, by whatever names. Files that are not there are told apart by nothing. */
export async function requireEachFileOnce(argument: string, paths: readonly string[]): Promise<void> {
  const known = new Map<string, string>();
  for (const path of paths) {
    const identity = await fileIdentity(path);
    if (identity === null) continue;
    const first = known.get(identity);
    if (first !== undefined)
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `${argument}: ${first} and ${path} are one file; give every image once`,
        { disk: path },
      );
    known.set(identity, path);
  }
}
