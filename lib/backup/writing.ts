/**
 * Opening a folder for writing, which also brings it into order: what an interrupted run left is undone, an interrupted
 * prune is brought to its end.
 */
import { join } from 'node:path';
import { CbtError } from '../core/errors.js';
import { finishedName } from '../linux/wholeFile.js';
import { removeFile, syncFolder } from './durable.js';
import { finishMerge } from './finishMerge.js';
import { BackupFolder } from './folder.js';
import { LOCK_NAME, type LockedFolder, lockFolder, READERS_NAME } from './lock.js';
import { MARK_NAME } from './mark.js';
import { MERGE_NAME, readJournal } from './mergeJournal.js';
import { PART, parseManifestName } from './names.js';
import { PENDING_NAME, type PendingRun, readPending, removePendingFiles } from './pending.js';

export interface WritableFolder extends AsyncDisposable {
  folder: BackupFolder;
  /** What interrupted runs may have left on images. */
  pending: PendingRun[];
  /** What could not be brought into order. */
  warnings: string[];
}

/** What a writer does beside adding a run. */
export interface WritingOptions {
  /** Make the folder where there is none. */
  create?: boolean;
  /** It takes away what is there, so that nobody may be reading. */
  takesAway?: boolean;
  /** Whether it goes on with what this one left: its files stay, and are told as before. None unless given. */
  goesOn?: (left: PendingRun) => boolean;
}

/** Takes the folder's lock; it is given back with the returned object. */
export async function openForWriting(path: string, options: WritingOptions = {}): Promise<WritableFolder> {
  const { path: absolute } = await BackupFolder.read(path, { create: options.create });
  const lock = await lockFolder(absolute);
  let alone: LockedFolder | null = null;
  const release = async (): Promise<void> => {
    await alone?.release();
    await lock.release();
  };
  try {
    if (options.takesAway) alone = await keepReadersOut(absolute);
    if (alone === null) await finishMergeAlone(absolute);
    else await finishMerge(absolute);
    const warnings: string[] = [];
    const pending = await tidy(await BackupFolder.read(absolute), warnings, options.goesOn);
    const folder = await BackupFolder.read(absolute);
    for (const { error } of folder.damaged) warnings.push(error.message);
    return { folder, pending, warnings, [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

function keepReadersOut(folder: string): Promise<LockedFolder> {
  return lockFolder(folder, { name: READERS_NAME });
}

/** An interrupted merge takes away what a reader may have open; where there is none, readers are in nobody's way. */
async function finishMergeAlone(folder: string): Promise<void> {
  if ((await readJournal(folder)) === null) return;
  await using _alone = await keepReadersOut(folder);
  await finishMerge(folder);
}

/**
 * Removes what interrupted runs said that they would make and did not finish. Whatever else is there belongs to somebody, to
 * a damaged run, or to one whose manifest was moved away, and stays.
 */
async function tidy(
  folder: BackupFolder,
  warnings: string[],
  goesOn: WritingOptions['goesOn'] = () => false,
): Promise<PendingRun[]> {
  const ours = folder.mark !== null || folder.runs.length > 0;
  const found = await readPending(folder.path);
  if (found === null && !ours)
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `${folder.path} has a file ${PENDING_NAME} that is not of a backup: name another folder`,
      { details: { path: folder.path } },
    );
  if (found === null)
    warnings.push(
      `${PENDING_NAME} is damaged: a point in time of an interrupted run may be left on its images`,
    );
  if (!ours) return [];
  const left = found ?? [];
  const kept = left.filter(goesOn);
  const undone = await removePendingFiles(
    folder,
    left.filter((one) => !kept.includes(one)),
  );
  // What a merge made that was never recorded.
  const listed = new Set(
    folder.runs.flatMap(({ disks }) => disks.flatMap(({ file, sums }) => [file, sums.file])),
  );
  const parts = folder.names.filter(
    (name) => isOwnLeft(name) || (name.endsWith(PART) && listed.has(name.slice(0, -PART.length))),
  );
  for (const name of parts) await removeFile(join(folder.path, name));
  if (parts.length > 0) await syncFolder(folder.path);
  return [...undone, ...kept];
}

/** A small file of ours that was being written when its program ended. */
export function isOwnLeft(name: string): boolean {
  const whole = finishedName(name);
  return (
    (whole !== null && (OWN_FILES.includes(whole) || parseManifestName(whole) !== null)) ||
    OWN_FILES.some((own) => name === own + PART) ||
    /^lock\.json\.[0-9a-f-]{36}$/.test(name)
  );
}

const OWN_FILES: readonly string[] = [PENDING_NAME, LOCK_NAME, MERGE_NAME, MARK_NAME, 'forgotten.json'];
