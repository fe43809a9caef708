/** One run into a second place: its layers, then the manifest, which alone makes it a run there. */
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { replaceFile } from '../durable.js';
import type { BackupFolder } from '../folder.js';
import { type DiskRun, formatManifest, type Manifest } from '../manifest.js';
import { manifestName } from '../names.js';
import { type CopyLayerOptions, copyLayer } from './copyLayer.js';
import type { PlannedRun } from './copyPlan.js';

/** What could not be copied, as it is damaged here; `disk` null where that is the whole run. */
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
}

/** Gives the run as it is there now, and what could not be copied of it; null for the run where that is nothing. */
export async function copyRun(
  source: BackupFolder,
  target: BackupFolder,
  { run, disks }: PlannedRun,
  there: ReadonlyMap<number, Manifest>,
  options: CopyRunOptions,
): Promise<{ now: Manifest | null; problems: CopyProblem[] }> {
  const before = there.get(run.run);
  const copied: DiskRun[] = [];
  const problems: CopyProblem[] = [];
  for (const disk of disks) {
    try {
      requireBase(target, disk, there);
      const onBytes = (bytes: number): void => options.onBytes(disk.disk, bytes);
      await copyLayer(source, target, { run, disk }, { ...options, onBytes });
      copied.push(disk);
    } catch (error) {
      throwIfAborted(options.signal);
      if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
      problems.push({ run: run.run, disk: disk.disk, file: disk.file, error });
    }
  }
  if (copied.length === 0) return { now: before ?? null, problems };
  const has = new Map([...(before?.disks ?? []), ...copied].map((disk) => [disk.key, disk]));
  const now: Manifest = {
    ...run,
    disks: run.disks.flatMap(({ key }) => has.get(key) ?? []),
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
  return { now, problems };
}

/** What is not there, or failed a moment ago, nothing can be read through. */
function requireBase(
  target: BackupFolder,
  { file, key, base }: DiskRun,
  there: ReadonlyMap<number, Manifest>,
): void {
  if (base === null || there.get(base.run)?.disks.some((disk) => disk.key === key)) return;
  const what = `${file} builds on run ${base.run}, of which ${target.path} has no ${key}`;
  throw new CbtError('ERR_CBT_CORRUPT_IMAGE', what, { details: { file, run: base.run } });
}
