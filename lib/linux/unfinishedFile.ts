/**
 * A file on its way: beside the place where it is to appear, under a name that nobody else draws. Work that takes long holds its file
 * by a lock of the kernel for as long as it lives, so that what a killed program left can be told from what is being written.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CbtError } from '../core/errors.js';
import { flock } from './flock.js';
import { tryHold } from './kernelLock.js';
import { busy, type FileId, isSame, lstatOrNull, removeSame, type Target } from './target.js';

/** What ends the name of an unfinished file. */
const PART = '.part';
const MAX_NAME_BYTES = 255;
/** Each somebody who clears up passes by once. */
const MAX_TRIES = 16;
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const UNFINISHED = new RegExp(`^(.+)\\.${UUID}\\${PART}$`, 's');

/** The beginning of the name that an unfinished file is for, all of it unless that is very long; null for any other name. */
export function finishedName(name: string): string | null {
  return UNFINISHED.exec(name)?.[1] ?? null;
}

export class UnfinishedFile {
  private constructor(
    private readonly target: Target,
    readonly name: string,
    readonly file: FileHandle,
    private readonly id: FileId,
  ) {}

  /** An empty file with the owner of the one that it is to replace. */
  static async create(target: Target, mode: number, held: boolean): Promise<UnfinishedFile> {
    for (let tries = 1; ; tries += 1) {
      const made = await UnfinishedFile.#make(target, mode);
      try {
        if (!held || (await made.#hold())) {
          await made.#takeOwner();
          return made;
        }
      } catch (error) {
        await made.close();
        throw error;
      }
      await made.close();
      if (tries === MAX_TRIES)
        throw busy(target.path, 'the unfinished file beside it was taken for a left one each time');
    }
  }

  static async #make(target: Target, mode: number): Promise<UnfinishedFile> {
    const name = startOf(target.name) + endOfName();
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    // Nobody may read in an unfinished file what he could not read in the one that it replaces.
    const file = await open(target.at(name), flags, target.found === null ? mode : 0o600);
    try {
      return new UnfinishedFile(target, name, file, await file.stat({ bigint: true }));
    } catch (error) {
      await unlink(target.at(name)).catch(() => undefined);
      await file.close();
      throw error;
    }
  }

  /** For programs that open it themselves. */
  get path(): string {
    return join(dirname(this.target.path), this.name);
  }

  /** Whether a name in the folder leads to this file. */
  async has(name: string): Promise<boolean> {
    const now = await lstatOrNull(this.target.at(name));
    return now !== null && isSame(now, this.id);
  }

  /** Gives it the mode of the file that it is to replace. Writing may have taken some of it away: it comes last. */
  async takeMode(): Promise<void> {
    const { found } = this.target;
    if (found === null) return;
    const wanted = found.stats.mode & 0o7777n;
    const { mode } = await this.file.stat({ bigint: true });
    if ((mode & 0o7777n) !== wanted) await this.file.chmod(Number(wanted));
  }

  /** Removes it if it still is unfinished; whatever else has its name stays. */
  async close(): Promise<void> {
    await removeSame(this.target.at(this.name), this.id);
    await this.file.close();
  }

  /**
   * False where somebody who clears up came between, and took it for a left one. Where files cannot be locked nobody clears away what he
   * cannot lock either.
   */
  async #hold(): Promise<boolean> {
    const locked = await flock(this.file.fd, 'exclusive', this.path).catch(orUnknown);
    return locked !== false && (await this.has(this.name));
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
}

/** Removes unfinished files of that target that nobody holds: their programs are gone. Everybody who writes it must hold his. */
export async function clearLeft(target: Target): Promise<void> {
  for (const name of await readdir(target.at('.'))) {
    if (finishedName(name) !== startOf(target.name)) continue;
    const lock = await tryHold(target.at(name), { waitMs: 0 }).catch(() => null);
    await lock?.remove().catch(() => undefined);
  }
}

function endOfName(): string {
  return `.${randomUUID()}${PART}`;
}

/** As much of the name as there is room for. */
function startOf(name: string): string {
  const room = MAX_NAME_BYTES - Buffer.byteLength(endOfName());
  let start = name;
  while (Buffer.byteLength(start) > room) start = start.slice(0, -1);
  return start;
}

function orUnknown(error: unknown): null {
  if (error instanceof CbtError && error.code === 'ERR_CBT_UNSUPPORTED') return null;
  throw error;
}
