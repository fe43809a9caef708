/** What a backup run is told, and what it tells meanwhile. */

import type { CallOptions } from '../core/callOptions.js';
import type { ChangeMap } from '../core/changeMap.js';
import type { DiskName } from '../core/ids.js';
import { type Checks, callback, flag, integer, limitOf, required, text } from '../core/options.js';
import type { OnProgress } from '../core/progress.js';
import { type Logger, logger } from '../watch/logger.js';
import type { Verdict } from './chooseBase.js';
import { CALL, CLAIM, MAX_JOBS } from './options.js';
import type { ClaimOptions } from './owner.js';

/** What a run is told. */
export interface BackupOptions extends ClaimOptions, CallOptions {
  /** Folder of the backup; made when it is not there. */
  to: string;
  /** Copy everything, also where an incremental backup is possible. */
  full?: boolean | undefined;
  /** Disks copied at the same time, 1 to 16; 2 unless given. */
  jobs?: number | undefined;
  /** Most bytes read a second, over all disks. */
  bytesPerSecond?: number | undefined;
  /** Told as bytes are read. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
  /** Tells the verdict of each disk before its copying starts, and waits for what it gives back. */
  onDisk?: ((disk: DiskPlan) => void | Promise<void>) | undefined;
  /** The time, for manifests. */
  clock?: (() => Date) | undefined;
}

/** What is going to be done with a disk, told before it is. */
export type DiskPlan = Verdict & {
  disk: DiskName;
  changedBytes: number;
  /** What is going to be copied; can be read until the disk's copying ends. */
  map: ChangeMap;
};

export const BACKUP: Checks<BackupOptions> = {
  ...CLAIM,
  to: required(text),
  full: flag,
  jobs: integer(1, MAX_JOBS),
  bytesPerSecond: limitOf(1),
  onProgress: callback,
  logger,
  onDisk: callback,
  clock: callback,
  ...CALL,
};
