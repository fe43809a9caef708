/** Restores a disk of a run that a target holds: to a file, a block device or an NBD export. */
import { throwIfAborted } from '../../core/errors.js';
import {
  abortSignal,
  anything,
  type Checks,
  callback,
  checkOptions,
  flag,
  oneOf,
  required,
  text,
} from '../../core/options.js';
import type { OnProgress } from '../../core/progress.js';
import type { NbdTls } from '../../host/data.js';
import { type Logger, logger } from '../../watch/logger.js';
import { writeDisk } from '../restore.js';
import { type BackupTarget, target } from '../target.js';
import { toldBackup } from '../told.js';
import { readObjectLayers } from './objectReader.js';
import { ObjectRuns } from './objectRuns.js';

/** Which disk at which point, and where it goes. */
export interface RestoreFromTargetOptions {
  from: BackupTarget;
  /** PIT UUID of the run, or the key of its manifest; the newest that has the disk unless given. */
  pit?: string | undefined;
  /** Name of the disk; may be left out where there is one. */
  disk?: string | undefined;
  /** A file that is not there yet, a block device, or an NBD URI. */
  to: string;
  /** What proves who is who, for an `nbds:` URI. */
  tls?: NbdTls | undefined;
  /** Format of a new file; unless given, qcow2 where its name ends in `.qcow2`, else raw. */
  format?: 'raw' | 'qcow2' | undefined;
  /** Replace a file that is there; one that a VM uses stays, as `BUSY`. */
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Told as bytes are read, of those that the disk's layers hold. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** What was restored. */
export interface RestoreFromTargetResult {
  disk: string;
  /** Key of the run's manifest. */
  run: string;
  pit: string;
  sizeBytes: number;
  /** Bytes of data that were written; the rest are zeros. */
  writtenBytes: number;
}

const RESTORE: Checks<RestoreFromTargetOptions> = {
  from: required(target),
  pit: text,
  disk: text,
  to: required(text),
  // Looked at by whoever connects.
  tls: anything,
  format: oneOf('raw', 'qcow2'),
  force: flag,
  onProgress: callback,
  logger,
  signal: abortSignal,
};

/** Writes a disk as it was; every byte is checked against its sum before it is written. After a failure no new file is left. */
export async function restoreFromTarget(options: RestoreFromTargetOptions): Promise<RestoreFromTargetResult> {
  checkOptions('restoreFromTarget', options, RESTORE);
  return toldBackup(
    'restoreFromTarget',
    { folder: options.from.name, disk: options.disk },
    options.logger,
    () => restoreDisk(options),
    (message, { disk, pit }) => {
      Object.assign(message, { disk, pit });
    },
  );
}

async function restoreDisk(options: RestoreFromTargetOptions): Promise<RestoreFromTargetResult> {
  const { from, signal, pit: _, disk: __, logger: ___, ...write } = options;
  throwIfAborted(signal);
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
