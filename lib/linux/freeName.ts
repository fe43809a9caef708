/** Names that are free are taken only while they are: nothing is replaced, whoever comes at the same time. */
import { link, open, rename, unlink } from 'node:fs/promises';
import { somebodyMade } from './target.js';

/** How file systems without hard links say so. */
const NO_LINKS: readonly string[] = ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK'];

/** Moves a file to a name that is free, on one file system; `BUSY` with errno `EEXIST` where it is not. */
export async function moveToFreeName(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw somebodyMade(to);
    if (!NO_LINKS.includes(errnoOf(error))) throw error;
    // Whoever made the name may replace it.
    const claim = await open(to, 'wx', 0o600).catch((cause: unknown) => {
      throw errnoOf(cause) === 'EEXIST' ? somebodyMade(to) : cause;
    });
    await claim.close();
    await rename(from, to);
    return;
  }
  await unlink(from);
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? '';
}
