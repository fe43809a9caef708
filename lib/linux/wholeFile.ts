/**
 * Files that are there whole or not at all, and that take nobody else's place: written beside the target under a name of their own,
 * brought to stable storage, and then given the target's name, if that is what it was when the work began.
 */
import { type FileHandle, rename, stat } from 'node:fs/promises';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { isMissing, onFile } from './fileFault.js';
import { moveToFreeName } from './freeName.js';
import { syncOpenFolder } from './stable.js';
import { busy, isSame, Target } from './target.js';
import { clearLeft, UnfinishedFile } from './unfinishedFile.js';

export { finishedName } from './unfinishedFile.js';

/** What may be replaced, and how the file is made. */
export interface WholeFileOptions {
  /** `refuse` where a file of that name has to stay; unless given it is replaced. */
  existing?: 'replace' | 'refuse' | undefined;
  /** `refuse` where the folder is not the user's own: a link in it may lead anywhere. Unless given they are followed. */
  links?: 'follow' | 'refuse' | undefined;
  /** Of a new file, less the umask; 0666 unless given. One that is replaced hands down its owner and mode. */
  mode?: number | undefined;
  /** Asked about the file that is to be replaced, before the work and right before the end; throws where it must stay. */
  requireFree?: ((file: FileHandle, path: string) => Promise<void>) | undefined;
  /** Files that are never replaced, by whatever name: those that are read for this one. */
  keep?: readonly string[] | undefined;
  /**
   * The work takes long: what earlier ones left when they were killed is cleared away first, and this one can be told from it. For one
   * target all have to say the same.
   */
  long?: boolean | undefined;
  /** Fired, the file does not get its name. */
  signal?: AbortSignal | undefined;
}

/**
 * Fills a file and gives it its name when it is whole. `fill` gets the file, open for reading and writing, and its path for programs that
 * open it themselves; they must write into it, not replace it. A file that is not finished is removed; after a kill it is left as
 * `<name>.<uuid>.part`. What anybody else put in the way meanwhile stays, as `BUSY`.
 */
export async function writeWholeFile<T>(
  path: string,
  fill: (file: FileHandle, unfinished: string) => Promise<T>,
  options: WholeFileOptions = {},
): Promise<T> {
  const { existing = 'replace', mode = 0o666, keep = [], long = false } = options;
  await using target = await Target.look(path, options.links ?? 'follow');
  const { found } = target;
  if (found !== null && existing === 'refuse')
    throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${path} is there already`, {
      details: { path, errno: 'EEXIST' },
    });
  await requireNoneOf(target, keep);
  const requireFree = async (): Promise<void> => {
    if (found !== null) await options.requireFree?.(found.file, target.path);
  };
  await requireFree();
  // Awaited here: what the target holds open is let go when this returns.
  return await onFile(target.path, 'writing', async () => {
    if (long) await clearLeft(target);
    const unfinished = await UnfinishedFile.create(target, mode, long);
    try {
      const result = await fill(unfinished.file, unfinished.path);
      await unfinished.file.sync();
      await requireFree();
      throwIfAborted(options.signal);
      await finish(unfinished, target);
      return result;
    } finally {
      await unfinished.close();
    }
  });
}

async function requireNoneOf({ path, found }: Target, keep: readonly string[]): Promise<void> {
  if (found === null) return;
  for (const other of keep) {
    const stats = await onFile(other, 'looking', () =>
      stat(other, { bigint: true }).catch((error: unknown) => {
        if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return null;
        throw error;
      }),
    );
    if (stats !== null && isSame(stats, found.stats))
      throw invalidArgument('file', path, `another than ${other}, which is what is read`);
  }
}

/** Gives the file its name, and makes that last. */
async function finish(unfinished: UnfinishedFile, target: Target): Promise<void> {
  await unfinished.takeMode();
  await target.requireUnchanged();
  if (!(await unfinished.has(unfinished.name)))
    throw busy(target.path, 'the unfinished file beside it was moved or replaced');
  const [from, to] = [target.at(unfinished.name), target.at(target.name)];
  await (target.found === null ? moveToFreeName(from, to) : rename(from, to));
  if (!(await unfinished.has(target.name)))
    throw busy(target.path, 'somebody else replaced it at the same time');
  await syncOpenFolder(target.folder);
}
