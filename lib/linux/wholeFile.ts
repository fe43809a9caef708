/**
 * Files that are there whole or not at all, and that take nobody else's place: written beside the target under a name of their own,
 * brought to stable storage, and then given the target's name, if that is what it was when the work began.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CbtError } from '../core/errors.js';
import { onFile } from './fileFault.js';
import { busy, type FileId, isSame, lstatOrNull, somebodyMade, Target } from './target.js';

export interface WholeFileOptions {
  /** `refuse` where a file of that name has to stay; unless given it is replaced. */
  existing?: 'replace' | 'refuse' | undefined;
  /** Of a new file, less the umask; 0666 unless given. One that is replaced hands down its owner and mode. */
  mode?: number | undefined;
  /** Asked about the file that is to be replaced, before the work and right before the end; throws where it must stay. */
  requireFree?: ((file: FileHandle, path: string) => Promise<void>) | undefined;
}

/** What ends the name of an unfinished file. */
export const PART = '.part';
const MAX_NAME_BYTES = 255;

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
  await using target = await Target.look(path);
  const { found } = target;
  if (found !== null && options.existing === 'refuse')
    throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${path} is there already`, {
      details: { path, errno: 'EEXIST' },
    });
  const requireFree = async (): Promise<void> => {
    if (found !== null) await options.requireFree?.(found.file, target.path);
  };
  await requireFree();
  // Awaited here: what the target holds open is let go when this returns.
  return await onFile(target.path, 'writing', async () => {
    const part = await Part.create(target, options.mode ?? 0o666);
    try {
      const result = await fill(part.file, join(dirname(target.path), part.name));
      await part.file.sync();
      await requireFree();
      await part.finish();
      return result;
    } finally {
      await part.close();
    }
  });
}

/** The name of an unfinished file of that target; no two are the same. */
function partName(name: string): string {
  const end = `.${randomUUID()}${PART}`;
  let start = name;
  while (Buffer.byteLength(start + end) > MAX_NAME_BYTES) start = start.slice(0, -1);
  return start + end;
}

/** An unfinished file. */
class Part {
  private constructor(
    private readonly target: Target,
    readonly name: string,
    readonly file: FileHandle,
    private readonly id: FileId,
  ) {}

  static async create(target: Target, mode: number): Promise<Part> {
    const name = partName(target.name);
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    // Nobody may read in an unfinished file what he could not read in the one that it replaces.
    const file = await open(target.at(name), flags, target.found === null ? mode : 0o600);
    const part = new Part(target, name, file, await file.stat({ bigint: true }));
    try {
      await part.#takeOwner();
      return part;
    } catch (error) {
      await part.close();
      throw error;
    }
  }

  /** Gives the file its name, and makes that last. */
  async finish(): Promise<void> {
    const { target } = this;
    await this.#takeMode();
    await target.requireUnchanged();
    if (!(await this.#has(this.name)))
      throw busy(target.path, 'the unfinished file beside it was moved or replaced');
    if (target.found === null) await this.#appear();
    else await rename(target.at(this.name), target.at(target.name));
    if (!(await this.#has(target.name)))
      throw busy(target.path, 'somebody else replaced it at the same time');
    await syncFolder(target.folder);
  }

  /** A name that was free is taken only while it is: nothing is replaced, whoever comes at the same time. */
  async #appear(): Promise<void> {
    const { target } = this;
    const [from, to] = [target.at(this.name), target.at(target.name)];
    try {
      await link(from, to);
      await unlink(from);
    } catch (error) {
      if (isErrno(error, 'EEXIST')) throw somebodyMade(target.path);
      if (!isErrno(error, 'EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK')) throw error;
      // A file system without hard links: whoever made the name may replace it.
      const claim = await open(to, 'wx', 0o600).catch((cause: unknown) => {
        throw isErrno(cause, 'EEXIST') ? somebodyMade(target.path) : cause;
      });
      await claim.close();
      await rename(from, to);
    }
  }

  async #takeOwner(): Promise<void> {
    const { found, path } = this.target;
    if (found === null) return;
    const { uid, gid } = await this.file.stat({ bigint: true });
    if (uid === found.stats.uid && gid === found.stats.gid) return;
    await this.file.chown(Number(found.stats.uid), Number(found.stats.gid)).catch((cause: unknown) => {
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `${path} belongs to user ${found.stats.uid} and group ${found.stats.gid}, and what would replace it cannot be given to them: work as root or as that user, or remove it first`,
        { details: { path, errno: (cause as NodeJS.ErrnoException).code ?? null }, cause },
      );
    });
  }

  async #takeMode(): Promise<void> {
    const { found } = this.target;
    if (found === null) return;
    const wanted = found.stats.mode & 0o7777n;
    const { mode } = await this.file.stat({ bigint: true });
    if ((mode & 0o7777n) !== wanted) await this.file.chmod(Number(wanted));
  }

  async #has(name: string): Promise<boolean> {
    const now = await lstatOrNull(this.target.at(name));
    return now !== null && isSame(now, this.id);
  }

  /** Removes what is unfinished; whatever else has its name stays. */
  async close(): Promise<void> {
    await this.file.close();
    if (await this.#has(this.name).catch(() => false))
      await unlink(this.target.at(this.name)).catch(() => undefined);
  }
}

/** Makes new names in the folder last, where the file system knows how. */
async function syncFolder(folder: FileHandle): Promise<void> {
  await folder.sync().catch((error: unknown) => {
    if (!isErrno(error, 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS')) throw error;
  });
}

function isErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}
