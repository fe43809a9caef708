/** Names that are free are taken only while they are: nothing is replaced, whoever comes at the same time. */
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { removeSame, somebodyMade } from './target.js';

/** How file systems without hard links say so. */
const NO_LINKS: readonly string[] = ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK'];

/** Moves a file to a name that is free, on one file system; `BUSY` with errno `EEXIST` where it is not. After a failure it has its old name alone. */
export async function moveToFreeName(from: string, to: string): Promise<void> {
  const id = await lstat(from, { bigint: true });
  try {
    await link(from, to);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw somebodyMade(to);
    if (!NO_LINKS.includes(errnoOf(error))) throw error;
    // Whoever made the name may replace it.
    const claim = await open(to, 'wx', 0o600).catch((cause: unknown) => {
      throw errnoOf(cause) === 'EEXIST' ? somebodyMade(to) : cause;
    });
    const claimed = await claim.stat({ bigint: true }).finally(() => claim.close());
    await rename(from, to).catch(async (cause: unknown) => {
      await removeSame(to, claimed);
      throw cause;
    });
    return;
  }
  await unlink(from).catch(async (cause: unknown) => {
    await removeSame(to, id);
    throw cause;
  });
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? '';
}
