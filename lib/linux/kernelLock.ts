/**
 * A lock that the kernel holds on an open file: it is there for every process on this kernel, whatever its PID, network or
 * mount namespace, and on network file systems that carry locks for other hosts too; and it is gone when the last process
 * that has the open file is, however that ended. What the file is called or says decides nothing.
 *
 * Whoever looks takes the lock for a moment (shared, so that lookers do not see each other); takers therefore try again
 * for a short while before they believe that somebody holds it.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError } from '../core/errors.js';
import { onFile } from './fileFault.js';
import { flock, type LockMode } from './flock.js';

export type { LockMode } from './flock.js';

export interface HoldOptions {
  /** 'exclusive' unless given; many may hold it 'shared'. */
  mode?: LockMode;
  /** Permissions of the file that is made where there is none; without it a missing file is an error. */
  create?: number;
  /** How long to try while somebody holds it; 400 ms unless given, which is for lookers. */
  waitMs?: number;
}

const DEFAULT_WAIT_MS = 400;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** The open file must not be collected, which would close it, while its holder has nothing to do. */
const held = new Set<HeldLock>();

/** A lock that we hold until {@link release}, {@link remove} or our end. */
export class HeldLock implements AsyncDisposable {
  constructor(
    readonly path: string,
    /** The locked file, open: a process that gets its descriptor holds the lock too. */
    readonly file: FileHandle,
    readonly mode: LockMode,
  ) {
    held.add(this);
  }

  /** Lets go; whoever was given the descriptor holds on. The file stays. */
  async release(): Promise<void> {
    if (held.delete(this)) await this.file.close();
  }

  /** Removes the file, unless others hold it too or another has its name by now, and lets go. */
  async remove(): Promise<void> {
    if (!held.has(this)) return;
    try {
      const alone = this.mode === 'exclusive' || (await flock(this.file.fd, 'exclusive', this.path));
      if (alone && (await isStill(this.path, this.file)))
        await onFile(this.path, 'removing', () => rm(this.path, { force: true }));
    } finally {
      await this.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/**
 * Holds the file at this path; null while somebody else does (this process included: each call opens the file anew). What is
 * held is the file that has the name when this returns. It must not be replaced while it is held: write into it.
 */
export async function tryHold(path: string, options: HoldOptions = {}): Promise<HeldLock | null> {
  const { mode = 'exclusive', waitMs = DEFAULT_WAIT_MS } = options;
  const until = Date.now() + waitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const file = await openLockFile(path, mode, options.create);
    let taken = false;
    try {
      // Its holder may have removed it while we opened it: then what we have locked is nobody's.
      taken = (await flock(file.fd, mode, path)) && (await isStill(path, file));
      if (taken) return new HeldLock(path, file, mode);
    } finally {
      if (!taken) await file.close();
    }
    if (Date.now() >= until) return null;
    await delay(pause);
  }
}

/** Whether somebody, this process included, holds the file exclusively. Not where there is none. */
export async function isHeld(path: string): Promise<boolean> {
  for (;;) {
    const file = await openToLook(path);
    if (file === null) return false;
    let free: Promise<boolean>;
    let still: boolean;
    try {
      free = flock(file.fd, 'shared', path);
      free.catch(() => undefined);
      still = await isStill(path, file);
    } finally {
      // At once: the lock then ends with the program that takes it, however busy we are.
      await file.close();
    }
    if (!(await free)) return true;
    if (still) return false;
  }
}

async function openToLook(path: string): Promise<FileHandle | null> {
  try {
    return await openRegular(path, constants.O_RDONLY);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw failed(path, error);
  }
}

async function openLockFile(path: string, mode: LockMode, create: number | undefined): Promise<FileHandle> {
  try {
    // Some network file systems want a file that is open for writing for an exclusive lock.
    const making = create === undefined ? 0 : constants.O_CREAT;
    return await openRegular(path, constants.O_RDWR | making, create);
  } catch (error) {
    const readable = mode === 'shared' && ['EROFS', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '');
    if (!readable) throw failed(path, error);
  }
  return openRegular(path, constants.O_RDONLY).catch((error: unknown) => {
    throw failed(path, error);
  });
}

/** Opens a regular file and nothing else: a link would lead elsewhere, a FIFO would wait for its other end. */
async function openRegular(path: string, flags: number, create?: number): Promise<FileHandle> {
  const before = await lstat(path).catch(() => null);
  if (before !== null && !before.isFile()) throw notRegular(path, before);
  const file = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, create);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw notRegular(path, info);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Whether the path still is the name of this open file. */
async function isStill(path: string, file: FileHandle): Promise<boolean> {
  try {
    const opened = await file.stat({ bigint: true });
    const named = await lstat(path, { bigint: true });
    return named.dev === opened.dev && named.ino === opened.ino;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw failed(path, error);
  }
}

function notRegular(path: string, info: Stats): CbtError {
  const what = info.isSymbolicLink()
    ? 'a symbolic link'
    : info.isDirectory()
      ? 'a folder'
      : 'no regular file';
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${path} is ${what}, and only a regular file is taken for a lock: remove it`,
    { details: { path } },
  );
}

function failed(path: string, error: unknown): unknown {
  if (error instanceof CbtError || !(error instanceof Error)) return error;
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path}: locking failed: ${error.message}`, {
    details: { path, errno: errnoOf(error) ?? null },
    cause: error,
  });
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
