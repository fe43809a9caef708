/** How much a backup into a folder would move, without beginning one: the same choice of a base, the maps as of now. */
import type { CbtError } from '../core/errors.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import { chooseBase } from './chooseBase.js';
import { BackupFolder, folderExists } from './folder.js';

/** What a backup of a disk would be now. `changedBytes` is what the map tells; a copy is widened to clusters of 64 KiB. */
export interface DiskEstimate {
  disk: string;
  sizeBytes: number;
  verdict: 'incremental' | 'full';
  reason: string | null;
  message: string | null;
  /** The run it would build on. */
  base: { run: number; pit: string } | null;
  changedBytes: number;
}

/** A folder that is not there yet holds no run. */
export async function readForEstimate(path: string): Promise<BackupFolder | null> {
  return (await folderExists(path)) ? BackupFolder.read(path) : null;
}

/** Chooses the base as a run would, and counts; nothing is begun and nothing written. `folder` null: there is no backup yet. */
export async function estimateDisk(
  disk: TrackedDisk,
  folder: BackupFolder | null,
  options: { full?: boolean | undefined; signal?: AbortSignal | undefined } = {},
): Promise<DiskEstimate> {
  const { signal } = options;
  const { epoch, sizeBytes } = await disk.pits({ signal });
  const empty = folder === null;
  const choice = empty
    ? null
    : await chooseBase({
        folder,
        disk: disk.disk,
        epoch,
        lost: null,
        full: options.full ?? false,
        taken: new Set(),
        changes: (from, selection) => disk.changes({ ...selection, from }),
        allocated: (selection) => disk.allocated(selection),
        selection: { signal },
      });
  const map = choice?.map ?? (await disk.allocated({ signal }));
  const base = choice?.base ?? null;
  return {
    disk: disk.disk,
    sizeBytes,
    verdict: choice?.verdict ?? 'full',
    reason: choice?.reason ?? null,
    message: choice === null ? 'the folder holds no earlier run of this disk' : choice.message,
    base: base === null ? null : { run: base.run.run, pit: base.run.pit },
    changedBytes: await map.changedBytes(),
  };
}

/** An estimate, or why there is none. */
export type EstimateOutcome = DiskEstimate | { disk: string; error: CbtError };
