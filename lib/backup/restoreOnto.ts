/**
 * Differential restore: makes images that are there what disks were at a run, writing only where they differ. Where a run stands in an
 * image’s chain nothing else is even read: a terabyte comes back in the time of its changes. What is written is recorded in
 * the image’s own points in time, so backups go on from them, and whoever was interrupted asks for the same again.
 */
import { resolve } from 'node:path';
import { CbtError, type CbtReason, throwIfAborted } from '../core/errors.js';
import { type Checks, callback, checkOptions, flag, listOf, required, text } from '../core/options.js';
import { type OnProgress, Progress } from '../core/progress.js';
import { type HeldImage, withHeldImage } from '../host/heldImage.js';
import { readPoints } from '../host/storedPoints.js';
import { requireEachFileOnce } from '../linux/fileIdentity.js';
import { freeSpaceFor } from '../linux/freeSpace.js';
import { type Logger, logger } from '../watch/logger.js';
import { ClusterSet } from './clusterSet.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStack } from './layerFiles.js';
import { mayDiffer } from './mayDiffer.js';
import { ONTO_IMAGES, type OntoImage, ontoDisks } from './ontoDisks.js';
import { CALL } from './options.js';
import { openForReading, selectRun } from './reading.js';
import { toldBackup } from './told.js';
import { extent, requireFits, writeDiffering } from './writeDiffering.js';

/** Which run, and the images that become its disks. */
export interface RestoreOntoOptions {
  /** Folder of the backup. */
  from: string;
  /** Images that no VM uses, qcow2 or raw, or block devices. */
  onto: readonly OntoImage[];
  /** UUID of the run’s point in time, or the run’s number; the newest unless given. */
  pit?: string | undefined;
  /** Overwrite images of which the folder does not know that they are these disks. */
  force?: boolean | undefined;
  /** Folders that sessions on the VM were given for their files: an overlay that waits there keeps the restore away (`BUSY`). */
  scratchPlaces?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
  /** Milliseconds for all of it; no limit unless given. */
  timeoutMs?: number | undefined;
  /** Told as bytes are compared, of those that may differ. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** What became of an image. Sizes in bytes. */
export type RestoredOnto =
  | {
      disk: string;
      image: string;
      sizeBytes: number;
      /** How what may differ was found: by the image’s chain since run `base`, or by comparing all data, and why. */
      by: 'changes' | 'content';
      base: number | null;
      reason: CbtReason | null;
      message: string | null;
      /** Whether the image’s points in time still answer: `kept`, `none` where it had none that did, `lost`. */
      points: 'kept' | 'none' | 'lost';
      /** What was looked at, written as data, and made zeros. */
      comparedBytes: number;
      writtenBytes: number;
      zeroedBytes: number;
      error?: undefined;
    }
  | { disk: string; image: string; error: CbtError };

/** What was restored. */
export interface RestoreOntoResult {
  run: number;
  pit: string;
  disks: RestoredOnto[];
}

const RESTORE_ONTO: Checks<RestoreOntoOptions> = {
  from: required(text),
  onto: required(ONTO_IMAGES),
  pit: text,
  force: flag,
  scratchPlaces: listOf(text),
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Writes every disk onto its image, checked as {@link restore} does. Refused before anything is written: images of which the folder knows
 * another disk, or none (`ERR_CBT_INVALID_ARGUMENT`; `force` overwrites them), that are too small, or in use (`BUSY`). After a failure an
 * image may be restored in part: the same call goes on from there. One bad disk spoils no other; where all fail the first error is thrown.
 * @param options From where, which point, onto what.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * await restoreOnto({ from: '/backup/web', onto: [{ image: '/vm/disk.qcow2', disk: 'drive0' }] });
 * ```
 */
export async function restoreOnto(options: RestoreOntoOptions): Promise<RestoreOntoResult> {
  checkOptions('restoreOnto', options, RESTORE_ONTO);
  return toldBackup('restoreOnto', { folder: options.from }, options, restoreAll, (message, { run, pit }) => {
    Object.assign(message, { run, pit });
  });
}

async function restoreAll(options: RestoreOntoOptions): Promise<RestoreOntoResult> {
  const { signal, force = false, onProgress } = options;
  await using opened = await openForReading(options.from);
  const { folder } = opened;
  const run = selectRun(folder, options.pit);
  await requireEachFileOnce(
    'onto',
    options.onto.map(({ image }) => image),
  );
  // All of them are known before the first is written.
  const chosen = await ontoDisks({ folder, run, force, signal }, options.onto);
  const progress = new Progress('restore', onProgress);
  const restored: RestoredOnto[] = [];
  for (const one of chosen) restored.push(await restoreOne({ folder, progress }, one, options));
  const [first] = restored;
  if (first?.error !== undefined && restored.every(({ error }) => error !== undefined)) throw first.error;
  return { run: run.run, pit: run.pit, disks: restored };
}

interface Restoring {
  folder: BackupFolder;
  progress: Progress;
}

async function restoreOne(
  { folder, progress }: Restoring,
  { image: { image, format, trust }, layers }: { image: OntoImage; layers: Layer[] },
  { signal, scratchPlaces }: RestoreOntoOptions,
): Promise<RestoredOnto> {
  const disk = layers.at(-1)?.disk.disk ?? '';
  const path = resolve(image);
  try {
    await checkStack(folder, layers, signal);
    const { newest, ...done } = await withHeldImage(path, { format, trust, signal, scratchPlaces }, (held) =>
      writeOnto({ folder, layers, path, signal }, held, (bytes, total) => {
        progress.totalBytes += total;
        progress.add(disk, bytes);
      }),
    );
    return { disk, image: path, ...done, points: await pointsAfter(path, newest, signal) };
  } catch (error) {
    throwIfAborted(signal);
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
    return { disk, image: path, error: error.about(disk) };
  }
}

/** `newest`: changeId of the newest point that answered before; null where none did. */
async function writeOnto(
  work: { folder: BackupFolder; layers: readonly Layer[]; path: string; signal: AbortSignal | undefined },
  { disk, data, bitmapBytes }: HeldImage,
  tell: (doneBytes: number, moreBytes: number) => void,
) {
  const { layers, path, signal } = work;
  const { sizeBytes } = data.info;
  requireFits(path, sizeBytes, layers.at(-1)?.disk.sizeBytes ?? 0);
  const points = await disk.pits({ count: false, signal });
  const { wanted, found } = await mayDiffer({ ...work, disk, points }, sizeBytes);
  const held = ClusterSet.closed(0, sizeBytes);
  for await (const { offset, length } of await disk.allocated({ signal })) held.open(offset, offset + length);
  const differing = { ...work, target: data, wanted, held, onBytes: (bytes: number) => tell(bytes, 0) };
  const { compareBytes, growBytes } = await extent(differing, sizeBytes);
  if (bitmapBytes !== null) await requireRoom(path, growBytes + bitmapBytes);
  tell(0, compareBytes);
  const written = await writeDiffering(differing);
  const { by, base, reason, message } = found;
  const newest = points.state === 'recording' ? (points.pits.at(-1)?.changeId ?? null) : null;
  return { newest, sizeBytes, by, base: base?.run.run ?? null, reason, message, ...written };
}

async function requireRoom(image: string, neededBytes: number): Promise<void> {
  const { bytes, folder } = await freeSpaceFor(image);
  if (bytes === null || bytes >= neededBytes) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${image} was not written to: it may grow by ${neededBytes} bytes, and ${bytes} are free in ${folder}`,
    { disk: image, details: { neededBytes, freeBytes: bytes, folder } },
  );
}

/** QEMU ends well also where it could not store bitmaps: the file decides. */
async function pointsAfter(
  path: string,
  newest: string | null,
  signal: AbortSignal | undefined,
): Promise<'kept' | 'none' | 'lost'> {
  if (newest === null) return 'none';
  const { state, pits } = await readPoints(path, signal);
  return state === 'recording' && pits.at(-1)?.changeId === newest ? 'kept' : 'lost';
}
