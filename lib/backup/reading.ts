/** Opening a folder to read from it, and finding what is asked for in it. */
import { CbtError, invalidArgument } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';
import { type Check, type Checks, integer, required, shape, text } from '../core/options.js';
import { parseUuid } from '../core/pointInTime.js';
import { BackupFolder, type Layer } from './folder.js';
import { lockFolder, READERS_NAME } from './lock.js';
import type { Manifest } from './manifest.js';

export interface ReadableFolder extends AsyncDisposable {
  folder: BackupFolder;
}

/**
 * Reads a folder, and keeps prunes out of it until the returned object is let go; backups, which only add, go on. A folder in
 * which a merge was interrupted is read as the merge will leave it. One that cannot be written to is read without a lock, of which
 * `onUnheld` is told before anything is read; what it throws is thrown.
 */
export async function openForReading(path: string, onUnheld?: Unheld): Promise<ReadableFolder> {
  const { path: absolute } = await BackupFolder.read(path);
  const lock = await lockFolder(absolute, { shared: true, name: READERS_NAME });
  try {
    if (!lock.isHeld) onUnheld?.(absolute);
    return { folder: await BackupFolder.read(absolute), [Symbol.asyncDispose]: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Told the folder that is read though no lock can be had in it: a prune may take away what is read. */
export type Unheld = (folder: string) => void;

/** A run of a folder: the newest one, or by its number, or by its point in time. */
export type AtRun = 'newest' | { run: number } | { pit: PointId };

/** Which disk, at which run. */
export interface Selection {
  /** The newest run that has the disk unless given; it is one where all of them are one owner's. */
  at?: AtRun | undefined;
  /** Name of a disk as the manifest has it, or its name in the folder's files; may be left out where there is one. */
  disk?: DiskName | undefined;
}

const notBoth: Check = (value, name) => {
  throw invalidArgument(name, value, 'either run or pit');
};
const BY_NUMBER: Checks<{ run: number; pit?: undefined }> = { run: required(integer(0)), pit: notBoth };
// Whether a run has it is told with those that there are.
const BY_POINT: Checks<{ pit: string; run?: undefined }> = { pit: required(text), run: notBoth };

/** Which run, as a call takes it. */
export const atRun: Check = (value, name) => {
  if (value === 'newest') return;
  if (typeof value !== 'object' || value === null)
    throw invalidArgument(name, value, "'newest', { run: <number> } or { pit: <point> }");
  const { run } = value as { run?: unknown };
  (run === undefined ? shape(BY_POINT) : shape(BY_NUMBER))(value, name);
};

/** A run as it is written: its number, or its point in time. */
export function runNamed(text: string | undefined): AtRun | undefined {
  if (text === undefined) return undefined;
  return /^\d{1,9}$/.test(text) ? { run: Number(text) } : { pit: text };
}

function isNewest(at: AtRun | undefined): at is 'newest' | undefined {
  return at === undefined || at === 'newest';
}

/** The layers of the one disk that is meant, the full one first; which VM's, where several have one of its name, the point in time says. */
export function selectStack(folder: BackupFolder, selection: Selection): Layer[] {
  const { disk: name } = selection;
  const { at } = selection;
  const runs = selectRuns(folder, at);
  const names = new Set(runs.flatMap((run) => run.disks.map(({ key }) => key)));
  if (name === undefined && names.size > 1) throw notNamed(`one of ${[...names].join(', ')}`);
  const named = runs.filter(({ disks }) => disks.some(({ disk }) => name === undefined || disk === name));
  if (isNewest(at)) requireOneOwner(folder, named);
  for (const run of runs.toReversed()) {
    // What it was called in the run comes first: its name in files may be what another disk was called then.
    const disk =
      run.disks.find((one) => name === undefined || one.disk === name) ??
      run.disks.find((one) => one.key === name);
    if (disk !== undefined) return folder.stack(run, disk);
  }
  const known = [...names].join(', ') || 'no disk at all';
  if (name === undefined) throw notNamed(`one of those in the folder: ${known}`);
  throw invalidArgument('disk', name, `one of those in the folder: ${known}`);
}

/** The one run that is meant: the newest unless another one is named. In a folder of several owners one has to be. */
export function selectRun(folder: BackupFolder, at: AtRun | undefined): Manifest {
  const runs = selectRuns(folder, at);
  const run = runs.at(-1);
  if (isNewest(at)) requireOneOwner(folder, runs);
  if (run !== undefined) return run;
  throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `no run of ${folder.path} can be read: ${runsInWords(folder)}`);
}

/** The newest of all is whichever VM's was backed up last: nobody means that. */
function requireOneOwner(folder: BackupFolder, runs: readonly Manifest[]): void {
  const newest = new Map<string, Manifest>();
  for (const run of runs) newest.set(folder.ownerOf(run) ?? run.source.uuid ?? '', run);
  if (newest.size <= 1) return;
  const owners = [...newest.values()].map(
    (run) => `${ownerInWords(folder, run)} (newest run ${run.run}, ${run.startedAt})`,
  );
  const expected = `a run, as ${folder.path} holds those of several: ${owners.join(', ')}`;
  throw invalidArgument('at', 'missing', expected);
}

function ownerInWords(folder: BackupFolder, run: Manifest): string {
  const owner = folder.ownerOf(run);
  const { kind, name, uuid } = folder.mark?.owners.find(({ id }) => id === owner) ?? run.source;
  return kind === 'vm' ? `VM ${name ?? uuid ?? 'without a name'}` : 'images';
}

function notNamed(expected: string): CbtError {
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', `no disk is named, expected ${expected}`, {
    details: { argument: 'disk', expected },
  });
}

function selectRuns(folder: BackupFolder, at: AtRun | undefined) {
  if (folder.runs.length === 0 && folder.damaged.length === 0) {
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${folder.path} holds no backup`, {
      details: { path: folder.path },
    });
  }
  const [broken] = folder.damaged;
  if (isNewest(at)) {
    const newest = folder.runs.at(-1)?.run ?? 0;
    const later = folder.damaged.find(({ run }) => run > newest);
    if (later !== undefined)
      throw new CbtError(
        'ERR_CBT_CORRUPT_IMAGE',
        `the newest run cannot be told: ${later.error.message}; name a point in time (--pit)`,
        { details: { file: later.file } },
      );
    return folder.runs;
  }
  const { run: number, pit } = at as { run?: number; pit?: string };
  const uuid = pit === undefined ? null : parseUuid(pit);
  const found = folder.runs.filter((run) => run.pit === uuid || run.run === number);
  if (found.length > 0) return found;
  const also = broken === undefined ? '' : `; ${folder.damaged.map(({ error }) => error.message).join('; ')}`;
  throw invalidArgument(
    number === undefined ? 'at.pit' : 'at.run',
    number ?? pit,
    `a run of ${folder.path}, which has ${runsInWords(folder)}${also}`,
  );
}

/** The newest first: one of them is meant, as a rule. */
function runsInWords({ runs }: BackupFolder): string {
  const shown = runs
    .slice(-MOST_SHOWN)
    .reverse()
    .map(({ run, pit, startedAt }) => `${run} (${pit}, ${startedAt})`);
  const more = runs.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} older ones (qemu-cbt list)` : ''}`;
}
const MOST_SHOWN = 8;
