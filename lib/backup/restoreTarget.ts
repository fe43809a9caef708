/**
 * The file or block device that a restore writes. A new file gets its name when it is whole; one that a VM has open, a device that is
 * mounted or part of another, and the backup itself are never written.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DiskData } from '../core/diskData.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { openData } from '../host/data.js';
import { qemuImg } from '../host/imageTool.js';
import { holdFree, holdUnusedDevice } from '../host/unused.js';
import { isMissing, onFile } from '../linux/fileFault.js';
import { writeWholeFile } from '../linux/wholeFile.js';

/** Where to. */
export interface RestoreTarget {
  /** A file that is not there yet, or a block device. */
  to: string;
  /** Format of a new file; unless given, qcow2 where its name ends in `.qcow2`, else raw. */
  format?: 'raw' | 'qcow2' | undefined;
  /** Replace a file that is there; one that a VM uses stays, as `BUSY`. */
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** What is to be written. */
export interface RestoreWork {
  sizeBytes: number;
  /** Writes the disk; zeros too unless the target is blank. Bytes of data that it wrote. */
  fill: (target: DiskData, blank: boolean) => Promise<number>;
  /** Files of the backup. */
  keep: readonly string[];
}

export async function intoDeviceOrFile(options: RestoreTarget, work: RestoreWork): Promise<number> {
  const { force = false, to } = options;
  const found = await onFile(to, 'looking', () =>
    stat(to).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    }),
  );
  if (found?.isBlockDevice()) return intoDevice(resolve(to), work);
  if (found !== null && !(found.isFile() && force)) {
    throw invalidArgument(
      'to',
      to,
      found.isFile() ? 'a file that is not there yet (--force replaces it)' : 'a file or a block device',
    );
  }
  return intoFile(resolve(to), options, work);
}

async function intoDevice(path: string, { sizeBytes, fill }: RestoreWork): Promise<number> {
  const held = await holdUnusedDevice(path);
  try {
    await using device = await openData({ kind: 'qemu-nbd', file: path, format: 'raw', readOnly: false });
    requireSize(path, device.info.sizeBytes, sizeBytes);
    return await fill(device, false);
  } finally {
    await held.close();
  }
}

async function intoFile(path: string, options: RestoreTarget, work: RestoreWork): Promise<number> {
  const { sizeBytes, fill, keep } = work;
  const format = options.format ?? (path.endsWith('.qcow2') ? 'qcow2' : 'raw');
  try {
    return await writeWholeFile(
      path,
      async (file, unfinished) => {
        if (format === 'raw') await file.truncate(sizeBytes);
        else await qemuImg(['create', '-q', '-f', 'qcow2', unfinished, String(sizeBytes)]);
        const target = await openData({ kind: 'qemu-nbd', file: unfinished, format, readOnly: false });
        const written = await fill(target, true).catch(async (error: unknown) => {
          // The failure counts; what a server says of its end after one does not.
          await target.close().catch(() => undefined);
          throw error;
        });
        await target.close();
        return written;
      },
      {
        existing: options.force ? 'replace' : 'refuse',
        mode: 0o640,
        requireFree: holdFree,
        keep,
        long: true,
      },
    );
  } catch (error) {
    throwIfAborted(options.signal);
    throw aboutRoom(error, path);
  }
}

/** The server that writes the new file knows no name of it; where it has no room the user wants to know. */
function aboutRoom(error: unknown, path: string): unknown {
  if (!(error instanceof CbtError) || error.details['errno'] !== 'ENOSPC') return error;
  const { code, message, details } = error;
  return new CbtError(code, `${path}: no space left for the restored disk: ${message}`, {
    details: { ...details, path },
    cause: error,
  });
}

/** Throws where a disk has no room on what is there. */
export function requireSize(to: string, found: number, needed: number): void {
  if (found >= needed) return;
  const message = `${to} has ${found} bytes, the disk needs ${needed}`;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', message, { details: { argument: 'to', found, needed } });
}
