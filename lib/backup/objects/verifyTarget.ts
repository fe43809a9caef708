/** Is what a target holds sound: every manifest, every link, every stored byte. Goes on after a problem, so that all are told. */
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import type { DiskName } from '../../core/ids.js';
import { type Checks, callback, checkOptions, required } from '../../core/options.js';
import { type OnProgress, Progress } from '../../core/progress.js';
import { type Logger, logger } from '../../watch/logger.js';
import { CALL } from '../options.js';
import { type BackupTarget, target } from '../target.js';
import { toldBackup } from '../told.js';
import { layerKeys, type ObjectRun, pitOfKey } from './objectManifest.js';
import { checkObjectLayer } from './objectReader.js';
import { ObjectRuns } from './objectRuns.js';

/** What is looked at. */
export interface VerifyTargetOptions extends CallOptions {
  /** Where the runs are. */
  from: BackupTarget;
  /** Told as bytes are read, of all disks. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** Something that is not as its run wrote it; `disk` null where it is the whole run. */
export interface TargetProblem {
  /** Key of the run's manifest. */
  run: string;
  /** Name of the disk; null where it concerns the run. */
  disk: DiskName | null;
  /** What is wrong. */
  error: CbtError;
}

/** What was looked at, and every problem found. */
export interface VerifyTargetResult {
  /** Oldest first. */
  runs: ObjectRun[];
  /** Bytes of data that were read and compared with their sums. */
  checkedBytes: number;
  /** What cannot be restored, and why. */
  problems: TargetProblem[];
  /** Objects that no run names: what a run that was killed left, or one that is under way just now. */
  unlisted: string[];
}

const VERIFY: Checks<VerifyTargetOptions> = {
  from: required(target),
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Checks a target without changing it. Problems are in the result; it throws only where the target itself cannot be read or holds no backup.
 * @param options Which target.
 * @throws `CbtError`, and what the target throws.
 * @example
 * ```ts
 * const { problems } = await verifyTarget({ from: folderTarget('/backup/objects') });
 * ```
 */
export async function verifyTarget(options: VerifyTargetOptions): Promise<VerifyTargetResult> {
  checkOptions('verifyTarget', options, VERIFY);
  return toldBackup('verifyTarget', { folder: options.from.name }, options, look);
}

async function look({ from, signal, onProgress }: VerifyTargetOptions): Promise<VerifyTargetResult> {
  const held = await ObjectRuns.read(from, signal);
  if (held.keys.length === 0)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${from.name} holds no backup`, {
      details: { target: from.name },
    });
  const problems: TargetProblem[] = held.damaged.map(({ key, error }) => ({ run: key, disk: null, error }));
  const layers = held.runs.flatMap((run) => run.manifest.disks.map((disk) => ({ run, disk })));
  const totalBytes = layers.reduce((sum, { disk }) => sum + disk.storedBytes, 0);
  const progress = new Progress('verify', onProgress, { totalBytes });
  // What a damaged manifest named nobody knows: everything of its run may be.
  const unclear = held.damaged.map(({ key }) => pitOfKey(key));
  const unlisted = new Set([...held.objects].filter((key) => !unclear.includes(key.split('/')[1] ?? '')));
  for (const layer of layers) {
    const { run, disk } = layer;
    for (const key of Object.values(layerKeys(layer))) unlisted.delete(key);
    try {
      held.stack(layer);
      await checkObjectLayer(from, layer, { signal, onBytes: (bytes) => progress.add(disk.disk, bytes) });
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
      problems.push({ run: run.key, disk: disk.disk, error });
    }
  }
  return { runs: [...held.runs], checkedBytes: progress.doneBytes, problems, unlisted: [...unlisted].sort() };
}
