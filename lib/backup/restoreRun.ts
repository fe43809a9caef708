/** Restores all disks of a run into a folder, each to a file of its name. One bad disk never spoils the others. */
import { lstat, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import type { PointId } from '../core/ids.js';
import { type Checks, callback, checkOptions, flag, oneOf, required, text } from '../core/options.js';
import { logger } from '../watch/logger.js';
import { isMissing, onFile } from './fileFault.js';
import type { DiskRun, Manifest } from './manifest.js';
import { CALL } from './options.js';
import { atRun, openForReading, type ReadableFolder, selectRun } from './reading.js';
import { type RestoreOptions, restoreStack } from './restore.js';
import { toldBackup } from './told.js';

/** Which run, and where its disks go. */
export interface RestoreRunOptions
  extends Pick<RestoreOptions, 'from' | 'at' | 'force' | 'signal' | 'timeoutMs' | 'onProgress' | 'logger'> {
  /** Folder for the files; made when it is not there. A file is called as the disk’s layers are. */
  toFolder: string;
  /** Format of the files; qcow2 unless given. */
  format?: 'raw' | 'qcow2' | undefined;
}

/** What became of a disk: what was written, or why nothing is there. Sizes in bytes. */
export type RestoredDisk =
  | { disk: string; file: string; sizeBytes: number; writtenBytes: number; error?: undefined }
  | { disk: string; file: string; error: CbtError };

/** What was restored. */
export interface RestoreRunResult {
  /** Number of the run. */
  run: number;
  /** UUID of the run's point in time. */
  pit: PointId;
  /** Every disk that the run has. */
  disks: RestoredDisk[];
  /** Disks of the VM that failed in that run, so that it has nothing of them. */
  missing: Manifest['failed'];
  /** What the VM was made from at that run: the XML of a libvirt domain; absent where it told none. */
  definition?: string | undefined;
}

const RESTORE_RUN: Checks<RestoreRunOptions> = {
  from: required(text),
  toFolder: required(text),
  at: atRun,
  format: oneOf('raw', 'qcow2'),
  force: flag,
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Writes every disk of a run as it was, checked as {@link restore} does. Nothing is written where a file is there already
 * (`ERR_CBT_INVALID_ARGUMENT`), unless `force` replaces it, nor where no run is named in a folder of several owners (the same code). A disk that cannot be restored has an `error` and leaves no file; where none can, the
 * first error is thrown.
 * @param options From where, which run, where to.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * await restoreRun({ from: '/backup/web', toFolder: '/vm/restored' });
 * ```
 */
export async function restoreRun(options: RestoreRunOptions): Promise<RestoreRunResult> {
  checkOptions('restoreRun', options, RESTORE_RUN);
  return toldBackup(
    'restoreRun',
    { folder: options.from },
    options,
    restoreDisks,
    (message, { run, pit }) => {
      Object.assign(message, { run, pit });
    },
  );
}

async function restoreDisks(options: RestoreRunOptions): Promise<RestoreRunResult> {
  const { format = 'qcow2', force = false } = options;
  await using opened = await openForReading(options.from);
  const manifest = selectRun(opened.folder, options.at);
  const toFolder = resolve(options.toFolder);
  const fileOf = ({ key }: DiskRun): string => join(toFolder, `${key}.${format}`);
  await onFile(toFolder, 'making', () => mkdir(toFolder, { recursive: true, mode: 0o750 }));
  if (!force) for (const disk of manifest.disks) await requireMissing(fileOf(disk));
  const disks: RestoredDisk[] = [];
  for (const disk of manifest.disks)
    disks.push(await restoreOne(opened, { run: manifest, disk }, { ...options, to: fileOf(disk), format }));
  const { run, pit, failed: missing } = manifest;
  const [first] = disks;
  if (first?.error !== undefined && disks.every(({ error }) => error !== undefined)) throw first.error;
  const { definition } = manifest.source;
  return { run, pit, disks, missing, ...(definition !== undefined && { definition }) };
}

async function restoreOne(
  { folder }: ReadableFolder,
  { run, disk }: { run: Manifest; disk: DiskRun },
  { to, format, force, signal, onProgress }: RestoreRunOptions & { to: string },
): Promise<RestoredDisk> {
  const about = { disk: disk.disk, file: to };
  try {
    const layers = folder.stack(run, disk);
    const { sizeBytes, writtenBytes } = await restoreStack(folder, layers, {
      to,
      format,
      force,
      signal,
      onProgress,
    });
    return { ...about, sizeBytes, writtenBytes };
  } catch (error) {
    throwIfAborted(signal);
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
    return { ...about, error };
  }
}

async function requireMissing(path: string): Promise<void> {
  const found = await onFile(path, 'looking', () =>
    lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    }),
  );
  if (found !== null)
    throw invalidArgument('toFolder', path, 'no such file in the folder yet (--force replaces it)');
}
