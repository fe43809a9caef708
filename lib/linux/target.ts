/**
 * The place where a file is to appear: looked at once, its folder and what stands there held open until the end. Everything goes
 * through the open folder, so that neither a link nor another folder put in the way leads elsewhere, and an inode that is held open
 * never gets its number from a later file.
 */

import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CbtError, invalidArgument } from '../core/errors.js';
import { isMissing, onFile } from './fileFault.js';
import { realPathAsText } from './textPath.js';

/** A file, whatever it is called. */
export interface FileId {
  dev: bigint;
  ino: bigint;
}

/** What stands under the name. */
export interface Found {
  stats: BigIntStats;
  file: FileHandle;
}

export class Target implements AsyncDisposable {
  private constructor(
    /** The name with every link followed. */
    readonly path: string,
    readonly folder: FileHandle,
    private readonly folderId: FileId,
    /** Null where nothing is; else an ordinary file. */
    readonly found: Found | null,
  ) {}

  /** A link is followed once, to what it leads to now. Folders, devices, FIFOs, sockets and links that lead nowhere are refused. */
  static async look(path: string, links: 'follow' | 'refuse'): Promise<Target> {
    return onFile(path, 'looking', async () => {
      const named = resolve(path);
      const real = await resolveLinks(named, links);
      const folder = await open(dirname(real), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        const folderId = await folder.stat({ bigint: true });
        const found = await openFound(named, inFolder(folder, basename(real)));
        return new Target(real, folder, folderId, found);
      } catch (error) {
        await folder.close();
        throw error;
      }
    });
  }

  get name(): string {
    return basename(this.path);
  }

  /** The path of a name in the folder that was found, wherever that folder is by now. */
  at(name: string): string {
    return inFolder(this.folder, name);
  }

  /** Throws `BUSY` unless the folder has its path and the name leads to what was found, or to nothing, still. */
  async requireUnchanged(): Promise<void> {
    const folder = await lstatOrNull(dirname(this.path));
    if (folder === null || !isSame(folder, this.folderId))
      throw busy(this.path, `${dirname(this.path)} is another folder by now`);
    const now = await lstatOrNull(this.at(this.name));
    const before = this.found?.stats ?? null;
    if (now === null && before === null) return;
    if (now !== null && before === null) throw somebodyMade(this.path);
    if (now === null || before === null || !isSame(now, before))
      throw busy(this.path, 'another file, or none, has its name by now');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.found?.file.close();
    } finally {
      await this.folder.close();
    }
  }
}

export function isSame(a: FileId, b: FileId): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

export async function lstatOrNull(path: string): Promise<BigIntStats | null> {
  return onFile(path, 'looking', () =>
    lstat(path, { bigint: true }).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    }),
  );
}

/** Removes the name if it still leads to this file; whatever else has it stays. */
export async function removeSame(path: string, id: FileId): Promise<void> {
  const now = await lstatOrNull(path).catch(() => null);
  if (now !== null && isSame(now, id)) await unlink(path).catch(() => undefined);
}

/** The refusal to write a file that somebody else is at. */
export function busy(path: string, why: string, errno?: string, cause?: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} stays as it is: ${why}`, {
    reason: 'BUSY',
    details: { path, ...(errno === undefined ? {} : { errno }) },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function somebodyMade(path: string): CbtError {
  return busy(path, 'somebody else made a file of that name meanwhile', 'EEXIST');
}

/** The descriptor leads to the folder itself; its path may lead elsewhere by now. */
function inFolder(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}

async function resolveLinks(path: string, links: 'follow' | 'refuse'): Promise<string> {
  const stats = await lstatOrNull(path);
  if (stats?.isSymbolicLink() !== true) return join(await realPathAsText(dirname(path)), basename(path));
  if (links === 'refuse') throw invalidArgument('file', `${path}, a link`, 'an ordinary file');
  return realPathAsText(path).catch((error: unknown) => {
    if (isMissing(error)) throw invalidArgument('file', `${path}, a link that leads nowhere`, 'a file');
    throw error;
  });
}

/** Opened by the name that was given: whether its links may be followed is for the kernel to say. */
async function openFound(named: string, direct: string): Promise<Found | null> {
  const stats = await lstatOrNull(direct);
  if (stats === null) return null;
  if (!stats.isFile()) throw invalidArgument('file', `${named}, ${kindOf(stats)}`, 'an ordinary file');
  const file = await open(named, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const opened = await file.stat({ bigint: true });
    if (!isSame(opened, stats)) throw busy(named, 'it became another file while it was looked at');
    return { stats: opened, file };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  if (stats.isSymbolicLink()) return 'a link';
  return 'a device';
}
