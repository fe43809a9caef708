/**
 * A second place for a backup folder: what its valid manifests list, each byte held against its sums where it arrived, a run only there when all
 * of it is. Ended at any moment, the second place is a sound folder, and the next copy goes on.
 */
import { readdir } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import { type Checks, callback, checkOptions, flag, limitOf, required, text } from '../../core/options.js';
import { type OnProgress, Progress } from '../../core/progress.js';
import { fileIdentity } from '../../linux/fileIdentity.js';
import { freeSpaceIn } from '../../linux/freeSpace.js';
import { pathWithoutLinks } from '../../linux/pathWithoutLinks.js';
import { type Logger, logger } from '../../watch/logger.js';
import { onFile } from '../fileFault.js';
import { type BackupFolder, folderExists } from '../folder.js';
import { LOCK_NAME, READERS_NAME } from '../lock.js';
import type { DiskRun, Manifest } from '../manifest.js';
import { type Mark, readMark, writeMark } from '../mark.js';
import { PART } from '../names.js';
import { CALL } from '../options.js';
import { type PendingRun, writePending } from '../pending.js';
import { RateLimit } from '../rate.js';
import { openForReading } from '../reading.js';
import { toldBackup } from '../told.js';
import { isOwnLeft, openForWriting } from '../writing.js';
import { filesOf } from './copyLayer.js';
import { type PlannedRun, planCopy } from './copyPlan.js';
import { type CopyProblem, copyRun } from './copyRun.js';

export type { CopyProblem } from './copyRun.js';

/** What is copied where. */
export interface CopyFolderOptions extends CallOptions {
  /** Folder of the backup. */
  from: string;
  /** The second place: a folder that is empty, or a copy of this one by an earlier call; made where it is not there. */
  to: string;
  /** Runs too that are older than the newest one there: what was pruned there comes back. */
  all?: boolean | undefined;
  /** Most bytes a second that are read. */
  bytesPerSecond?: number | undefined;
  /** Told as bytes are copied, of all disks. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** A run that was copied. */
export interface CopiedRun {
  /** Its number. */
  run: number;
  /** UUID of its point in time. */
  pit: string;
  /** Names of its disks that were copied. */
  disks: string[];
}

/** What a copy did. */
export interface CopyFolderResult {
  /** Absolute path of the folder that was copied. */
  from: string;
  /** Absolute path of the copy. */
  to: string;
  /** Oldest first. */
  copied: CopiedRun[];
  /** Numbers of all runs that are there now. */
  runs: number[];
  /** Bytes of the files of what was copied. */
  copiedBytes: number;
  /** What could not be copied, is damaged, or is missing there still. */
  problems: CopyProblem[];
  /** What whoever looks after backups should know. */
  warnings: string[];
}

const COPY: Checks<CopyFolderOptions> = {
  from: required(text),
  to: required(text),
  all: flag,
  bytesPerSecond: limitOf(1),
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Copies a backup folder to a second place, or what that lacks by now. Only what manifests list is copied, and each byte is held against its
 * sums in the place where it arrived. What is damaged, or in the way, is told, and spoils no other disk. Ended at any moment, the next call goes on.
 * @param options Which folder, and where to.
 * @returns What was copied, and what could not be.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, and for a second place that holds something else;
 * ERR_CBT_BACKEND_UNAVAILABLE where one of the folders is in use, or has no room.
 * @example
 * ```ts
 * const { copied, problems } = await copyFolder({ from: '/backup/web', to: '/offsite/web' });
 * ```
 */
export async function copyFolder(options: CopyFolderOptions): Promise<CopyFolderResult> {
  checkOptions('copyFolder', options, COPY);
  return toldBackup('copy', { folder: options.from }, options, copyBetween);
}

async function copyBetween(options: CopyFolderOptions): Promise<CopyFolderResult> {
  const { all = false, bytesPerSecond, signal } = options;
  const warnings: string[] = [];
  const onUnheld = (path: string): number =>
    warnings.push(`${path} cannot be locked: a prune may take away what is being copied`);
  await using reading = await openForReading(options.from, onUnheld);
  const source = reading.folder;
  const mark = requireCopyable(source);
  await requirePlace(source, mark, resolve(options.to));
  const isHere = ({ run, pit }: PendingRun): boolean =>
    source.runs.some((one) => one.run === run && one.pit === pit);
  await using writing = await openForWriting(options.to, { create: true, goesOn: isHere });
  const { folder: target } = writing;
  // Nobody else writes to it from here on.
  await requirePlace(source, mark, target.path);
  warnings.push(...writing.warnings);
  const planned = planCopy(source, target, all);
  const own = new Set(writing.pending.filter(isHere).flatMap(({ files }) => files));
  requireOwnNames(target, planned, own);
  const totalBytes = sizeOf(planned.flatMap(({ disks }) => disks));
  await requireRoom(target, planned, writing.pending);
  if (JSON.stringify(target.mark) !== JSON.stringify(mark)) await writeMark(target.path, mark);
  const others = writing.pending.filter((one) => !isHere(one));
  await writePending(target.path, [...others, ...planned.map((one) => asPending(target, one, own))]);
  const progress = new Progress('copy', options.onProgress, { totalBytes });
  const limit =
    bytesPerSecond === undefined || bytesPerSecond === Number.POSITIVE_INFINITY
      ? undefined
      : new RateLimit(bytesPerSecond);
  const onBytes = (disk: string, bytes: number): void => progress.add(disk, bytes);
  const there = new Map<number, Manifest>(target.runs.map((run) => [run.run, run]));
  const copied: CopiedRun[] = [];
  const sound = new Set<string>();
  let copiedBytes = 0;
  const problems: CopyProblem[] = source.damaged.map(({ run, file, error }) => ({
    run,
    disk: null,
    file,
    error,
  }));
  for (const one of planned) {
    const done = await copyRun(source, target, one, there, { signal, limit, onBytes, own, sound });
    const { now, copied: disks } = done;
    problems.push(...done.problems);
    if (now === null || disks.length === 0) continue;
    there.set(now.run, now);
    copiedBytes += sizeOf(disks);
    copied.push({ run: one.run.run, pit: one.run.pit, disks: disks.map(({ disk }) => disk) });
  }
  await writePending(target.path, others);
  const runs = [...there.keys()].sort((a, b) => a - b);
  return {
    from: source.path,
    to: target.path,
    copied,
    runs,
    copiedBytes,
    problems,
    warnings,
  };
}

function sizeOf(disks: readonly DiskRun[]): number {
  return disks.reduce(
    (sum, { fileBytes, storedBytes, sums }) => sum + (fileBytes ?? storedBytes) + sums.bytes,
    0,
  );
}

function requireCopyable({ path, runs, damaged, merge, mark, markError }: BackupFolder): Mark {
  if (markError !== null) throw markError;
  if (runs.length === 0 && damaged.length === 0)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} holds no backup`, { details: { path } });
  if (merge !== null)
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${path}: a prune was interrupted in the middle of a merge; the next backup or prune ends it: copy after that`,
      { reason: 'BUSY', details: { path } },
    );
  if (mark !== null) return mark;
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${path} was made by a version that gave folders no identity; the next backup into it does: copy after that`,
    { details: { path } },
  );
}

/** Names that a file system, or our own lock, puts into a folder that is empty. */
const NOTHING: ReadonlySet<string> = new Set(['lost+found', LOCK_NAME, READERS_NAME]);

/** Throws unless the folder is not there, is empty, or is a copy of this one. */
async function requirePlace(source: BackupFolder, { id }: Mark, to: string): Promise<void> {
  const [here, there] = [pathWithoutLinks(source.path), pathWithoutLinks(to)];
  if (isInside(there, here) || isInside(here, there))
    throw invalidArgument('to', to, `a folder that is not inside ${source.path}, nor around it`);
  if (!(await folderExists(to))) return;
  if ((await fileIdentity(to)) === (await fileIdentity(source.path)))
    throw invalidArgument('to', to, `another folder than ${source.path}`);
  const mark = await readMark(to);
  if (mark?.id === id) return;
  const names = await onFile(to, 'listing', () => readdir(to));
  if (mark === null && names.every((name) => NOTHING.has(name) || isOwnLeft(name))) return;
  const holds = mark === null ? 'files of somebody else' : 'the backups of another folder';
  throw invalidArgument('to', to, `an empty folder, or a copy of ${source.path}; this one holds ${holds}`);
}

function isInside(path: string, folder: string): boolean {
  return path !== folder && path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/**
 * A file of the same name that no run lists, and no copy of ours said that it would make, is somebody's. Of a run that is listed, or may have
 * been, its files are held against the sums instead.
 */
function requireOwnNames(
  target: BackupFolder,
  planned: readonly PlannedRun[],
  own: ReadonlySet<string>,
): void {
  const again = new Set(target.damaged.map(({ run }) => run));
  const listed = new Set(
    target.runs.flatMap(({ disks }) => disks.flatMap(({ file, sums }) => [file, sums.file])),
  );
  const names = new Set(target.names);
  for (const { run, disks } of planned)
    for (const name of disks.flatMap(filesOf)) {
      const judged = listed.has(name) || (again.has(run.run) && !name.endsWith(PART));
      if (names.has(name) && !own.has(name) && !judged)
        throw new CbtError(
          'ERR_CBT_INVALID_ARGUMENT',
          `${target.file(name)} is there already, and no run lists it: move it away; run ${run.run} has a file of that name`,
          { details: { argument: 'to', file: name, run: run.run } },
        );
    }
}

/** Never a file that is there and is not ours: the next copy would take it for one that this one made. */
function asPending(
  { names }: BackupFolder,
  { run: { run, pit }, disks }: PlannedRun,
  own: ReadonlySet<string>,
): PendingRun {
  const there = new Set(names);
  const files = disks.flatMap(filesOf).filter((name) => own.has(name) || !there.has(name));
  return { run, pit, images: [], files };
}

/** Room for all of it, but what an earlier copy left, before a day is spent on it. */
async function requireRoom(
  target: BackupFolder,
  planned: readonly PlannedRun[],
  pending: readonly PendingRun[],
): Promise<void> {
  if (planned.length === 0 || pending.some(({ files }) => files.length > 0)) return;
  const { bytes } = await freeSpaceIn(target.path);
  const neededBytes = planned
    .flatMap(({ disks }) => disks)
    .reduce((sum, { storedBytes, sums }) => sum + storedBytes + sums.bytes, 0);
  if (bytes === null || bytes >= neededBytes) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${target.path} has room for ${bytes} bytes, and what is to be copied has at least ${neededBytes}. Nothing was copied; make room first`,
    { details: { errno: 'ENOSPC', neededBytes, freeBytes: bytes, folder: target.path } },
  );
}
