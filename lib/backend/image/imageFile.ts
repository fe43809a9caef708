/**
 * One file of a disk, held open for reading only, from the first look until the source is closed. A snapshot is the file
 * at one moment: its size bounds every read, and its time of change tells afterwards whether the answer still holds.
 */

import type { BigIntStats } from 'node:fs';
import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { CbtError, invalidArgument, throwIfAborted } from '../../core/errors.js';
import { findReadableBytes } from './deviceSize.js';
import { corrupt, faultError, unsupported } from './faults.js';

/** Largest single read: QEMU's cap for a bitmap directory, the largest structure that is read in one piece. */
export const MAX_READ_BYTES = 1024 * 65535;

export class ImageFile {
  private constructor(
    /** As it was asked for; in messages, and what relative backing names start from. */
    readonly path: string,
    private readonly handle: FileHandle,
    /** Device and inode: the same file under any name. */
    readonly identity: string,
    /** A block device, which cannot grow. */
    readonly isDevice: boolean,
  ) {}

  /** Opens a regular file or block device. Never blocks on a FIFO, never takes a lock, never writes. */
  static async open(path: string): Promise<ImageFile> {
    // Looked at before it is opened: opening some character devices has effects.
    checkKind(path, await attempt(path, 'stat', () => stat(path, { bigint: true })));
    const handle = await attempt(path, 'open', () => open(path, constants.O_RDONLY | constants.O_NONBLOCK));
    try {
      const stats = await attempt(path, 'fstat', () => handle.stat({ bigint: true }));
      checkKind(path, stats);
      return new ImageFile(path, handle, identityOf(stats), stats.isBlockDevice());
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get fd(): number {
    return this.handle.fd;
  }

  /** The file as it is now. Throws when its path names another file by now. */
  async snapshot(): Promise<FileSnapshot> {
    const [stamp, named] = await Promise.all([
      this.stamp(),
      attempt(this.path, 'stat', () => stat(this.path, { bigint: true })),
    ]);
    if (identityOf(named) !== this.identity) {
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `${this.path} was replaced by another file since it was opened: open the disk again`,
        { reason: 'BUSY', details: { path: this.path } },
      );
    }
    return new FileSnapshot(this, stamp);
  }

  /** True while the file's size and time of change are those of the stamp. */
  async matches(stamp: FileStamp): Promise<boolean> {
    const stats = await attempt(this.path, 'fstat', () => this.handle.stat({ bigint: true }));
    // A device shows no size here; a read past its end is noticed where it happens.
    return stats.mtimeNs === stamp.changedNs && (this.isDevice || Number(stats.size) === stamp.sizeBytes);
  }

  /** Size and time of the last change, through the descriptor. */
  async stamp(): Promise<FileStamp> {
    const stats = await attempt(this.path, 'fstat', () => this.handle.stat({ bigint: true }));
    const sizeBytes = this.isDevice ? await this.deviceBytes() : Number(stats.size);
    if (sizeBytes === null || !Number.isSafeInteger(sizeBytes)) {
      const fault = unsupported(
        'file size',
        sizeBytes ?? 'larger',
        `at most ${Number.MAX_SAFE_INTEGER} bytes`,
      );
      throw faultError(this.path, fault);
    }
    return { sizeBytes, changedNs: stats.mtimeNs };
  }

  /** As many bytes as there are, at most `length`. */
  async readUpTo(offsetBytes: number, length: number, signal?: AbortSignal): Promise<Buffer> {
    if (length > MAX_READ_BYTES) {
      throw new CbtError('ERR_CBT_INTERNAL', `read of ${length} bytes from ${this.path} was not bounded`);
    }
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      throwIfAborted(signal);
      const from = done;
      const { bytesRead } = await attempt(this.path, 'read', () =>
        this.handle.read(buffer, from, length - from, offsetBytes + from),
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private deviceBytes(): Promise<number | null> {
    return findReadableBytes(async (offset) => (await this.readUpTo(offset, 1)).length === 1);
  }
}

export interface FileStamp {
  sizeBytes: number;
  /** Time of the last write, nanoseconds. */
  changedNs: bigint;
}

/** A file at one moment. */
export class FileSnapshot {
  constructor(
    readonly file: ImageFile,
    readonly stamp: FileStamp,
  ) {}

  get sizeBytes(): number {
    return this.stamp.sizeBytes;
  }

  /** Exactly these bytes; `field` names them when the file does not hold them. */
  async read(offsetBytes: number, length: number, field: string, signal?: AbortSignal): Promise<Buffer> {
    const { path } = this.file;
    if (offsetBytes + length > this.sizeBytes) {
      const limit = `inside the file of ${this.sizeBytes} bytes`;
      throw faultError(path, corrupt(field, `${offsetBytes}+${length}`, limit));
    }
    const bytes = await this.file.readUpTo(offsetBytes, length, signal);
    if (bytes.length !== length) {
      const fault = corrupt(
        field,
        `cut off after ${bytes.length} bytes`,
        `${length} bytes at ${offsetBytes}`,
      );
      throw faultError(path, fault);
    }
    return bytes;
  }

  /** True while nobody wrote to the file since. */
  isCurrent(): Promise<boolean> {
    return this.file.matches(this.stamp);
  }
}

function identityOf(stats: BigIntStats): string {
  return stats.isBlockDevice() ? `device ${stats.rdev}` : `${stats.dev}:${stats.ino}`;
}

function checkKind(path: string, stats: BigIntStats): void {
  if (stats.isFile() || stats.isBlockDevice()) return;
  throw invalidArgument(
    'path',
    `${path}, ${kindOf(stats)}`,
    'a disk image: a regular file or a block device',
  );
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a character device';
}

/** Runs a system call; its failure becomes "could not ask", with what was tried. */
async function attempt<T>(path: string, call: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `cannot ${call} ${path}: ${errno}`, {
      details: { path, call, errno },
      cause: error,
    });
  }
}
