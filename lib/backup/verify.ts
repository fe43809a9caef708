/**
 * Is a backup folder sound? Two depths: manifests, stacks, headers and sums files; and beyond that every stored byte against
 * its sum, with nothing missing and nothing more in any layer. Goes on after a problem, so that all are told.
 */

import type { CallOptions } from '../core/callOptions.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { DiskName } from '../core/ids.js';
import { type Checks, callback, checkOptions, oneOf, required, text } from '../core/options.js';
import { type OnProgress, Progress } from '../core/progress.js';
import { type Logger, logger } from '../watch/logger.js';
import type { Layer } from './folder.js';
import { checkLayer } from './layerFiles.js';
import { MARK_NAME } from './mark.js';
import { CALL } from './options.js';
import { openForReading } from './reading.js';
import { toldBackup } from './told.js';
import { verifyLayer } from './verifyLayer.js';

/** `manifest`: manifests, stacks, headers and sums files. `data`: every stored byte as well. */
export type VerifyDepth = 'manifest' | 'data';

/** Which folder, and how deep. */
export interface VerifyOptions extends CallOptions {
  /** Folder of the backup. */
  from: string;
  /** 'data' unless given. */
  depth?: VerifyDepth | undefined;
  /** Told as bytes are read, of all disks. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** Something that is not as its run wrote it; `disk` null where it is the whole run, `run` 0 where it is the folder's mark. */
export interface VerifyProblem {
  /** Number of the run. */
  run: number;
  /** Name of the disk; null where it concerns the run. */
  disk: DiskName | null;
  /** Name of the file. */
  file: string;
  /** What is wrong. */
  error: CbtError;
}

/** Something about a layer that is sound all the same, such as clusters that are taken and not used. */
export interface VerifyNote {
  /** Number of the run. */
  run: number;
  /** Name of the disk. */
  disk: DiskName;
  /** Name of the file. */
  file: string;
  /** What is untidy, in words. */
  message: string;
}

/** What was looked at, and every problem found. */
export interface VerifyResult {
  /** How many runs there are. */
  runs: number;
  /** How many layers were read. */
  layers: number;
  /** Bytes of data that were read and compared with their sums. */
  checkedBytes: number;
  /** What cannot be restored, and why. */
  problems: VerifyProblem[];
  /** What is untidy and loses nothing. */
  notes: VerifyNote[];
}

const VERIFY: Checks<VerifyOptions> = {
  from: required(text),
  depth: oneOf('manifest', 'data'),
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Checks a folder without changing it. Problems are in the result; it throws only where the folder itself cannot be read or holds no backup.
 * @param options Which folder.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * const { problems } = await verify({ from: '/backup/web' });
 * ```
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  checkOptions('verify', options, VERIFY);
  return toldBackup('verify', { folder: options.from }, options, verifyFolder);
}

async function verifyFolder(options: VerifyOptions): Promise<VerifyResult> {
  const { depth = 'data', signal } = options;
  await using opened = await openForReading(options.from);
  const { folder } = opened;
  const layers = folder.runs.flatMap((run) => run.disks.map((disk): Layer => ({ run, disk })));
  if (layers.length === 0 && folder.damaged.length === 0)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${folder.path} holds no backup`);
  const problems: VerifyProblem[] = folder.damaged.map(({ run, file, error }) => ({
    run,
    disk: null,
    file,
    error,
  }));
  // Of no run: number 0.
  if (folder.markError !== null)
    problems.push({ run: 0, disk: null, file: MARK_NAME, error: folder.markError });
  const totalBytes = layers.reduce((sum, { disk }) => sum + disk.storedBytes, 0);
  const progress = new Progress('verify', options.onProgress, { totalBytes });
  const notes: VerifyNote[] = [];
  for (const layer of layers) {
    const about = { run: layer.run.run, disk: layer.disk.disk, file: layer.disk.file };
    const onBytes = (bytes: number): void => progress.add(about.disk, bytes);
    const onNote = (message: string): number => notes.push({ ...about, message });
    try {
      folder.below(layer);
      const place = await checkLayer(folder, layer);
      if (depth === 'data') await verifyLayer(layer, place, { signal, onBytes, onNote });
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
      problems.push({ ...about, error });
    }
  }
  return {
    runs: folder.runs.length,
    layers: layers.length,
    checkedBytes: progress.doneBytes,
    problems,
    notes,
  };
}
