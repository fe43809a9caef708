/** One run into a second place: its layers, then the manifest, which alone makes it a run there. */
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { replaceFile } from '../durable.js';
import { BackupFolder, type Layer } from '../folder.js';
import { checkLayerFiles } from '../layerFiles.js';
import { type DiskRun, formatManifest, type Manifest } from '../manifest.js';
import { manifestName } from '../names.js';
import { type CopyLayerOptions, copyLayer } from './copyLayer.js';
import type { PlannedRun } from './copyPlan.js';

/** What could not be copied, as it is damaged here or something is in the way there; `disk` null where that is the whole run. */
export interface CopyProblem {
  /** Number of the run. */
  run: number;
  /** Name of the disk; null where it concerns the run. */
  disk: string | null;
  /** Name of the file. */
  file: string;
  /** What is wrong. */
  error: CbtError;
}

export interface CopyRunOptions extends Omit<CopyLayerOptions, 'onBytes'> {
  onBytes: (disk: string, bytes: number) => void;
  /** Files of layers there that were looked at and are sound. */
  sound: Set<string>;
}

/** What came of a run. */
export interface RunCopy {
  /** As it is there now; null where it is not. */
  now: Manifest | null;
  copied: DiskRun[];
  problems: CopyProblem[];
}

export async function copyRun(
  source: BackupFolder,
  target: BackupFolder,
  { run, disks }: PlannedRun,
  there: ReadonlyMap<number, Manifest>,
  options: CopyRunOptions,
): Promise<RunCopy> {
  const before = there.get(run.run) ?? null;
  const standing = await BackupFolder.read(target.path, { known: there });
  let inTheWay = false;
  const copied: DiskRun[] = [];
  const problems: CopyProblem[] = [];
  for (const disk of disks) {
    const told = (error: CbtError): number =>
      problems.push({ run: run.run, disk: disk.disk, file: disk.file, error });
    try {
      await requireBase(standing, { run, disk }, options.sound);
      const onBytes = (bytes: number): void => options.onBytes(disk.disk, bytes);
      const refused = await copyLayer(source, target, { run, disk }, { ...options, onBytes });
      if (refused === null) {
        copied.push(disk);
        options.sound.add(disk.file);
      } else {
        inTheWay = true;
        told(refused);
      }
    } catch (error) {
      throwIfAborted(options.signal);
      if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
      told(error);
    }
  }
  // A manifest that cannot be read, and files that are not this run's: it may be of another one.
  if (before === null && inTheWay) return { now: null, copied: [], problems };
  if (copied.length === 0) return { now: before, copied, problems };
  const has = new Map([...(before?.disks ?? []), ...copied].map((disk) => [disk.key, disk]));
  const now: Manifest = {
    ...run,
    disks: [...has.values()],
    failed: [
      ...run.failed,
      ...problems.map(({ disk, error: { code, reason, message } }) => ({
        disk: disk ?? '',
        code,
        reason: reason ?? null,
        message,
      })),
    ],
  };
  await replaceFile(target.file(manifestName(run.run)), formatManifest(now));
  return { now, copied, problems };
}

/** Throws unless the layer can be read there through what it stands on: what is missing, of another history, or failed a moment ago. */
async function requireBase(standing: BackupFolder, layer: Layer, sound: Set<string>): Promise<void> {
  try {
    for (const below of standing.stack(layer.run, layer.disk).slice(0, -1)) {
      if (sound.has(below.disk.file)) continue;
      await checkLayerFiles(standing, below);
      sound.add(below.disk.file);
    }
  } catch (error) {
    if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
    const { file } = layer.disk;
    const what = `${file} is not copied, as what it stands on cannot be read in ${standing.path}: ${error.message}`;
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', what, {
      details: { file, run: layer.run.run },
      cause: error,
    });
  }
}
