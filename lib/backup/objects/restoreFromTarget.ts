/** Restores a disk of a run that a target holds: to a file, a block device or an NBD export. */
import type { DiskName, PointId } from '../../core/ids.js';
import { type Checks, checkOptions, required, text } from '../../core/options.js';
import { RESTORE_TO, type RestoreToOptions, writeDisk } from '../restore.js';
import { type BackupTarget, target } from '../target.js';
import { toldBackup } from '../told.js';
import { readObjectLayers } from './objectReader.js';
import { ObjectRuns } from './objectRuns.js';

/** Which disk at which point, and where it goes. */
export interface RestoreFromTargetOptions extends RestoreToOptions {
  /** Where the runs are. */
  from: BackupTarget;
  /** PIT UUID of the run, or the key of its manifest; the newest that has the disk unless given. */
  pit?: PointId | undefined;
  /** Name of the disk; may be left out where there is one. */
  disk?: DiskName | undefined;
}

/** What was restored. */
export interface RestoreFromTargetResult {
  /** Name of the disk. */
  disk: DiskName;
  /** Key of the run's manifest. */
  run: string;
  /** UUID of the run's point in time. */
  pit: PointId;
  /** Size of the disk. */
  sizeBytes: number;
  /** Bytes of data that were written; the rest are zeros. */
  writtenBytes: number;
}

const RESTORE: Checks<RestoreFromTargetOptions> = {
  ...RESTORE_TO,
  from: required(target),
  pit: text,
  disk: text,
};

/**
 * Writes a disk as it was; every byte is checked against its sum before it is written. After a failure no new file is left.
 * @param options From where, which point, where to.
 * @throws `CbtError`, and what the target throws.
 * @example
 * ```ts
 * await restoreFromTarget({ from: folderTarget('/backup/objects'), to: '/restored/drive0.qcow2' });
 * ```
 */
export async function restoreFromTarget(options: RestoreFromTargetOptions): Promise<RestoreFromTargetResult> {
  checkOptions('restoreFromTarget', options, RESTORE);
  return toldBackup(
    'restoreFromTarget',
    { folder: options.from.name, disk: options.disk },
    options,
    restoreDisk,
    (message, { disk, pit }) => {
      Object.assign(message, { disk, pit });
    },
  );
}

async function restoreDisk(options: RestoreFromTargetOptions): Promise<RestoreFromTargetResult> {
  const { from, signal, pit: _, disk: __, logger: ___, ...write } = options;
  const held = await ObjectRuns.read(from, signal);
  const top = held.select(options);
  const layers = held.stack(top);
  const { disk, sizeBytes } = top.disk;
  const writtenBytes = await writeDisk(
    { ...write, signal },
    {
      disk,
      sizeBytes,
      totalBytes: layers.reduce((sum, layer) => sum + layer.disk.storedBytes, 0),
      pieces: (more) => readObjectLayers(from, layers, more),
      keep: [],
    },
  );
  return { disk, run: top.run.key, pit: top.run.manifest.pit, sizeBytes, writtenBytes };
}
