/** The copying of a run: a layer with its sums for each disk that was planned, several at a time, each by itself. */
import { stat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import type { Progress } from '../core/progress.js';
import type { BackupOptions } from './backupOptions.js';
import { verdictOf } from './chooseBase.js';
import { copyLayer } from './copyLayer.js';
import { removeFile } from './durable.js';
import { onFile } from './fileFault.js';
import type { BackupFolder } from './folder.js';
import { LayerWriter } from './layerWriter.js';
import { CLUSTER_BYTES, type DiskRun } from './manifest.js';
import { layerName, PART, sumsName } from './names.js';
import type { Plan } from './planDisks.js';
import { RateLimit } from './rate.js';
import type { FailedDisk, SourceData } from './source.js';
import { SumsWriter } from './sums.js';
import { toldBackup } from './told.js';

/** Both queues of all disks together. */
const QUEUE_BUDGET_BYTES = 32 << 20;
/** More in flight than this makes no copy faster. */
const MAX_QUEUE_BYTES = 8 << 20;

export interface CopyWork {
  folder: BackupFolder;
  run: number;
  /** The session's point in time. */
  pit: string;
  /** Names of files that this run made and that do not belong to a manifest yet. */
  made: Set<string>;
  options: BackupOptions;
  progress: Progress;
  ofOneDisk: (disk: string, error: unknown) => Promise<FailedDisk>;
}

export async function copyDisks(
  work: CopyWork,
  plans: readonly Plan[],
): Promise<{ layers: DiskRun[]; failed: FailedDisk[] }> {
  const { options, progress } = work;
  const { bytesPerSecond } = options;
  progress.totalBytes = plans.reduce((sum, { changedBytes }) => sum + changedBytes, 0);
  const layers = new Map<Plan, DiskRun>();
  const failed: FailedDisk[] = [];
  const jobs = Math.min(options.jobs ?? 2, Math.max(1, plans.length));
  const rate =
    bytesPerSecond === undefined || bytesPerSecond === Number.POSITIVE_INFINITY
      ? null
      : new RateLimit(bytesPerSecond);
  const queueBytes = Math.min(MAX_QUEUE_BYTES, Math.floor(QUEUE_BUDGET_BYTES / jobs / 2));
  const waiting = plans.values();
  const worker = async (): Promise<void> => {
    for (const plan of waiting) {
      try {
        const { run, pit } = work;
        const about = { folder: work.folder.path, disk: plan.disk.disk, run, pit, session: pit };
        const copy = (): Promise<DiskRun> => copyDisk(work, plan, { rate, queueBytes });
        layers.set(plan, await toldBackup('copy', about, {}, copy));
      } catch (error) {
        failed.push(await work.ofOneDisk(plan.disk.disk, error));
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: jobs }, worker));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  if (layers.size + failed.length !== plans.length)
    throw new CbtError(
      'ERR_CBT_INTERNAL',
      `of ${plans.length} disks ${layers.size} were copied and ${failed.length} failed`,
    );
  return { layers: plans.map((plan) => layers.get(plan)).filter((layer) => layer !== undefined), failed };
}

/** The names of everything that the run makes, whatever becomes of it. */
export function filesOf(run: number, plans: readonly Plan[]): string[] {
  return plans.flatMap(({ key }) =>
    [layerName(key, run), sumsName(key, run)].flatMap((name) => [name, name + PART]),
  );
}

/** Of a disk that is no part of the run after all. */
export async function removeLayer({ folder, made }: CopyWork, layer: DiskRun): Promise<void> {
  for (const name of [layer.file + PART, layer.sums.file + PART]) {
    await removeFile(folder.file(name));
    made.delete(name);
  }
}

async function copyDisk(
  { folder, run, made, options, progress }: CopyWork,
  plan: Plan,
  limits: { rate: RateLimit | null; queueBytes: number },
): Promise<DiskRun> {
  const { signal } = options;
  const { disk, verdict, reason, message, base, key, map, changedBytes, series, identity, sequence } = plan;
  await options.onDisk?.({ disk: disk.disk, ...verdictOf(plan), changedBytes, map });
  const file = layerName(key, run);
  const sumsFile = sumsName(key, run);
  const sizeBytes = Math.ceil(disk.sizeBytes / 512) * 512;
  made.add(file + PART).add(sumsFile + PART);
  try {
    await using layer = await LayerWriter.create(folder.file(file + PART), {
      clusterBytes: CLUSTER_BYTES,
      sizeBytes,
      backing: base?.disk.file ?? null,
    });
    await using sums = await SumsWriter.create(folder.file(sumsFile + PART), sizeBytes);
    const { storedBytes, zeroBytes } = await withData(await disk.openData(signal), async (source) => {
      if (source.info.sizeBytes !== sizeBytes) {
        throw new CbtError(
          'ERR_CBT_MAP_MISMATCH',
          `${disk.disk} has ${sizeBytes} bytes, but its data has ${source.info.sizeBytes}`,
          { disk: disk.disk },
        );
      }
      return copyLayer({
        source,
        target: layer,
        map,
        sizeBytes,
        full: verdict === 'full',
        sums,
        ...limits,
        signal,
        // Ranges are widened to whole clusters: more may be read than the map tells.
        onBytes: (bytes) => progress.add(disk.disk, bytes),
      });
    });
    await layer.finish();
    const summed = await sums.finish();
    const { size: fileBytes } = await onFile(folder.file(file + PART), 'looking', () =>
      stat(folder.file(file + PART)),
    );
    return {
      disk: disk.disk,
      series,
      image: identity.image,
      key,
      sizeBytes,
      epoch: disk.epoch,
      changeId: disk.changeId,
      sequence,
      verdict,
      reason,
      message,
      base: base === null ? null : { run: base.run.run, pit: base.run.pit },
      file,
      fileBytes,
      sums: { file: sumsFile, ...summed },
      changedBytes,
      storedBytes,
      zeroBytes,
    };
  } catch (error) {
    for (const name of [file + PART, sumsFile + PART]) {
      await removeFile(folder.file(name));
      made.delete(name);
    }
    if (!(error instanceof CbtError) || error.details['errno'] !== 'ENOSPC') throw error;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `no space is left in ${folder.path}: ${error.message}`,
      {
        disk: disk.disk,
        details: error.details,
        cause: error,
      },
    );
  }
}

/** Closes the data when the work is done; of two failures the work's counts. */
async function withData<T>(data: SourceData, work: (data: SourceData) => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work(data);
  } catch (error) {
    await data.close().catch(() => undefined);
    throw error;
  }
  await data.close();
  return result;
}
