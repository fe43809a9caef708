/**
 * What tells an empty folder of ours from anybody's of such a name: it is made with the sticky bit, in the same call, which no
 * `mkdtemp` sets. With a file in it, that file tells.
 */
import { randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';

/** For its owner alone. */
export const OWN_MODE = 0o1700;
const STICKY = 0o1000;

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const LENGTH = 6;

/** Makes a folder whose name begins so, and that nobody had. */
export async function makeMarkedFolder(prefix: string): Promise<string> {
  for (;;) {
    const folder = prefix + Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
    try {
      await mkdir(folder, OWN_MODE);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Whether it was made so. */
export function isMarked({ mode }: { mode: number }): boolean {
  return (mode & STICKY) !== 0;
}
