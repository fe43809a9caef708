/**
 * A folder as it is at one instant, also while somebody backs up or prunes there, and without holding anybody up. A prune changes several
 * files for one step (a manifest gone, another that no longer builds on it), and what is read between them fits nothing. But
 * each of its steps takes names out of the folder, or puts the record of a merge in: where the names that were there before
 * the reading are there after it, nothing was taken away meanwhile.
 */
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { onFile } from '../fileFault.js';
import { BackupFolder } from '../folder.js';
import type { Manifest } from '../manifest.js';
import { MERGE_NAME } from '../mergeJournal.js';
import { layerName, manifestName, parseLayerName, parseManifestName } from '../names.js';

/** The folder, and which names in it lead to something else than a file (a link, a folder, a FIFO). */
export interface SettledFolder {
  folder: BackupFolder;
  notFiles: ReadonlySet<string>;
}

/** After the first, a reading takes the few manifests that changed only, and a prune needs longer for its next step. */
const MOST_READINGS = 50;

/** Reads without a lock. Throws `BUSY` where the folder changes faster than it is read. */
export async function readSettled(path: string, signal?: AbortSignal): Promise<SettledFolder> {
  let known: ReadonlyMap<number, Manifest> = new Map();
  for (let reading = 1; reading <= MOST_READINGS; reading += 1) {
    throwIfAborted(signal);
    const folder = await BackupFolder.read(path, { known });
    const entries = await onFile(folder.path, 'listing', () => readdir(folder.path, { withFileTypes: true }));
    const now = new Set(entries.map(({ name }) => name));
    if (isSame(folder, now)) {
      const notFiles = entries.filter((entry) => !entry.isFile()).map(({ name }) => name);
      return { folder, notFiles: new Set(notFiles) };
    }
    known = untouched(folder, now);
  }
  throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${resolve(path)} changes faster than it can be read`, {
    reason: 'BUSY',
    details: { path },
  });
}

/** Whether nothing was taken away since the names were read; what was added is a later run's. */
function isSame({ names, merge }: BackupFolder, now: ReadonlySet<string>): boolean {
  if (now.has(MERGE_NAME) !== (merge !== null)) return false;
  return names.every((name) => now.has(name) || !isOfRuns(name));
}

function isOfRuns(name: string): boolean {
  return parseManifestName(name) !== null || parseLayerName(name) !== null;
}

/** Manifests of which everything is there that they name: no step of a prune had to do with them. */
function untouched({ runs, merge }: BackupFolder, now: ReadonlySet<string>): Map<number, Manifest> {
  const same = new Map<number, Manifest>();
  for (const run of runs) {
    if (run.run === merge?.above || run.run === merge?.below) continue;
    const needs = run.disks.flatMap(({ key, file, sums, base }) => [
      file,
      sums.file,
      ...(base === null ? [] : [layerName(key, base.run), manifestName(base.run)]),
    ]);
    if (needs.every((name) => now.has(name))) same.set(run.run, run);
  }
  return same;
}
