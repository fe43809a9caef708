/** Which layers of a folder cannot be read, as far as manifests and the names of files tell, without opening any. */
import { CbtError } from '../../core/errors.js';
import type { BackupFolder } from '../folder.js';
import type { DiskRun, Manifest } from '../manifest.js';
import { layerName } from '../names.js';
import type { SettledFolder } from './settledFolder.js';

/** What is wrong with the stack of each disk of each run. */
export interface Problems {
  /** Null where nothing is. */
  of(run: Manifest, disk: DiskRun): string | null;
}

/** Each layer is looked at once, upwards: what is wrong below is wrong above. */
export function layerProblems({ folder, notFiles }: SettledFolder): Problems {
  const names = new Set(folder.names);
  const found = new Map<DiskRun, string | null>();
  const look = (name: string): string | null => {
    if (!names.has(name)) return `${name} is missing`;
    return notFiles.has(name) ? `${name} is not a regular file` : null;
  };
  for (const run of folder.runs)
    for (const disk of run.disks) {
      const own = isMerging(folder, run, disk)
        ? mergedProblem(folder, disk, look)
        : (look(disk.file) ?? look(disk.sums.file));
      found.set(disk, own ?? belowProblem(folder, run, disk, found));
    }
  return { of: (_, disk) => found.get(disk) ?? null };
}

function belowProblem(
  folder: BackupFolder,
  run: Manifest,
  disk: DiskRun,
  found: ReadonlyMap<DiskRun, string | null>,
): string | null {
  try {
    const below = folder.below({ run, disk });
    return below === null ? null : (found.get(below.disk) ?? null);
  } catch (error) {
    if (error instanceof CbtError) return error.message;
    throw error;
  }
}

function isMerging({ merge }: BackupFolder, { run }: Manifest, { key }: DiskRun): boolean {
  return merge !== null && merge.above === run && merge.key === key;
}

/** While it goes on, the layer is in one of two files, or in both; its sums are in place or about to be. */
function mergedProblem(
  { merge, names }: BackupFolder,
  { key, file }: DiskRun,
  look: (name: string) => string | null,
): string | null {
  const lower = merge === null ? null : layerName(key, merge.below);
  return lower !== null && names.includes(lower) ? (look(lower) ?? look(file)) : look(file);
}
