/**
 * One backup run: a session, a layer per disk, a manifest. The order is what makes it safe against a crash at any moment:
 *
 *   1. lock the folder, bring it into order        nothing of this run exists
 *   2. begin the session (the point in time)       a crash from here on: the next run rolls it back
 *   3. copy every disk to `<layer>.part`
 *   4. check the session, sync, rename the layers  without a manifest they are nothing
 *   5. write the manifest: the run exists          a crash here: the point may be rolled back, the run stays good, and
 *   6. commit the session                          the next one builds on the run below it
 */
import { randomUUID } from 'node:crypto';
import { rename, stat } from 'node:fs/promises';
import type { ChangeMap } from '../core/changeMap.js';
import type { DiskData } from '../core/diskData.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { chooseBase } from './chooseBase.js';
import { copyLayer } from './copyLayer.js';
import { removeFile, replaceFile, syncFolder } from './durable.js';
import { onFile } from './fileFault.js';
import type { BackupFolder } from './folder.js';
import { LayerWriter } from './layerWriter.js';
import { CLUSTER_BYTES, type DiskRun, formatManifest, type Manifest } from './manifest.js';
import { layerName, makeKey, manifestName, PART, sumsName } from './names.js';
import { RateLimit } from './rate.js';
import type { BackupSource, SourceDisk, SourceSession } from './source.js';
import { SumsWriter } from './sums.js';
import { clearIntent, openForWriting, writeIntent } from './writing.js';

export interface BackupOptions {
  /** Folder of the backup; made when it is not there. */
  to: string;
  /** Copy everything, also where an incremental backup is possible. */
  full?: boolean | undefined;
  /** Disks copied at the same time, 1 to 16; 2 unless given. */
  jobs?: number | undefined;
  /** Most bytes read a second, over all disks. */
  bytesPerSecond?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told as bytes are read. */
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Tells the verdict of each disk before its copying starts, and waits for what it gives back. */
  onDisk?: ((disk: DiskPlan) => void | Promise<void>) | undefined;
  /** The time, for manifests. */
  clock?: (() => Date) | undefined;
}

export interface BackupProgress {
  /** Bytes read so far, of those that are to be read; over all disks. */
  doneBytes: number;
  totalBytes: number;
}

export interface DiskPlan {
  disk: string;
  verdict: 'incremental' | 'full';
  reason: string | null;
  message: string | null;
  changedBytes: number;
  /** What is going to be copied; can be read until the disk's copying ends. */
  map: ChangeMap;
}

export type DiskResult = DiskRun | { disk: string; error: CbtError };

export interface BackupResult {
  /** Null when every disk failed: then nothing was kept. */
  run: number | null;
  pit: string | null;
  disks: DiskResult[];
  warnings: string[];
}

/** Both queues of all disks together. */
const QUEUE_BUDGET_BYTES = 32 << 20;
/** More in flight than this makes no copy faster. */
const MAX_QUEUE_BYTES = 8 << 20;
const MAX_JOBS = 16;

/**
 * One run: every disk of the source at one instant into the folder, incremental where its chain allows. Disks that fail
 * are in the result, the others stand; a run that fails as a whole throws a `CbtError`, and leaves the folder and the
 * points in time as they were.
 */
export async function backup(source: BackupSource, options: BackupOptions): Promise<BackupResult> {
  const { signal, clock = () => new Date() } = options;
  throwIfAborted(signal);
  const startedAt = clock().toISOString();
  await using target = await openForWriting(options.to, { create: true });
  const { folder, warnings } = target;
  const pit = randomUUID();
  const facts = await source.facts(signal);
  const intent = source.intent(pit);
  if (intent !== null) await writeIntent(folder.path, intent);
  const session = await source.begin(pit, signal).catch(async (error: unknown) => {
    if (intent !== null) await clearIntent(folder.path);
    throw error;
  });
  const run = folder.nextRun;
  const made = new Set<string>();
  const work = { folder, session, run, made, options, progress: { doneBytes: 0, totalBytes: 0 } };
  try {
    warnings.push(...session.warnings);
    const { layers, failed } = await copyDisks(work);
    await session.check();
    throwIfAborted(signal);
    if (layers.length === 0) {
      await undo(work, intent !== null);
      return { run: null, pit: null, disks: failed, warnings };
    }
    const manifest: Manifest = {
      format: 'qemu-cbt-backup',
      version: 2,
      run,
      pit: session.pit,
      startedAt,
      finishedAt: clock().toISOString(),
      source: facts,
      disks: layers,
      failed: failed.map(({ disk, error }) => ({
        disk,
        code: error.code,
        reason: error.reason ?? null,
        message: error.message,
      })),
    };
    await publish(folder, manifest);
    warnings.push(...(await commit(session)));
    if (intent !== null) await clearIntent(folder.path);
    return { run, pit: session.pit, disks: [...layers, ...failed], warnings };
  } catch (error) {
    const undone = await undo(work, intent !== null).then(
      () => '',
      (second: unknown) =>
        `; and undoing failed: ${second instanceof Error ? second.message : String(second)}`,
    );
    // A terminal's Ctrl-C reaches our helper programs as well: what they said of their end is not the cause.
    throwIfAborted(signal);
    if (undone === '' || !(error instanceof CbtError)) throw error;
    throw new CbtError(error.code, error.message + undone, {
      ...(error.reason === undefined ? {} : { reason: error.reason }),
      details: error.details,
      cause: error,
    });
  }
}

interface Work {
  folder: BackupFolder;
  session: SourceSession;
  run: number;
  /** Names of files that this run made and that do not belong to a manifest yet. */
  made: Set<string>;
  options: BackupOptions;
  progress: BackupProgress;
}

async function copyDisks(
  work: Work,
): Promise<{ layers: DiskRun[]; failed: { disk: string; error: CbtError }[] }> {
  const { session, options } = work;
  const { bytesPerSecond } = options;
  const layers = new Map<string, DiskRun>();
  const failed = [...session.failed];
  const jobs = Math.min(Math.max(1, options.jobs ?? 2), MAX_JOBS, Math.max(1, session.disks.length));
  const rate = bytesPerSecond === undefined ? null : new RateLimit(bytesPerSecond);
  const planned = [];
  const taken = new Set<string>();
  for (const disk of session.disks) {
    try {
      const plan = await planDisk(work, disk, taken);
      taken.add(plan.key);
      planned.push({ disk, plan });
    } catch (error) {
      failed.push({ disk: disk.disk, error: await ofOneDisk(work, disk, error) });
    }
  }
  const queueBytes = Math.min(MAX_QUEUE_BYTES, Math.floor(QUEUE_BUDGET_BYTES / jobs / 2));
  const waiting = planned.values();
  const worker = async (): Promise<void> => {
    for (const { disk, plan } of waiting) {
      try {
        layers.set(disk.disk, await copyDisk(work, disk, plan, { rate, queueBytes }));
      } catch (error) {
        failed.push({ disk: disk.disk, error: await ofOneDisk(work, disk, error) });
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: jobs }, worker));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  return {
    layers: session.disks.map(({ disk }) => layers.get(disk)).filter((layer) => layer !== undefined),
    failed,
  };
}

/** An error that spoils one disk only; what ends the whole run is thrown on. */
async function ofOneDisk(work: Work, disk: SourceDisk, error: unknown): Promise<CbtError> {
  throwIfAborted(work.options.signal);
  if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
  await work.session.check();
  return error.about(disk.disk);
}

type Plan = Awaited<ReturnType<typeof planDisk>>;

async function planDisk(work: Work, disk: SourceDisk, taken: ReadonlySet<string>) {
  const { folder, options, progress } = work;
  const selection = { signal: options.signal };
  const choice = await chooseBase({
    folder,
    disk: disk.disk,
    epoch: disk.epoch,
    lost: disk.lost,
    full: options.full ?? false,
    taken,
    changes: (from, more) => disk.changes(from, more),
    allocated: (more) => disk.allocated(more),
    selection,
  });
  const changedBytes = await choice.map.changedBytes();
  progress.totalBytes += changedBytes;
  const used = new Set([...taken, ...folder.runs.flatMap((run) => run.disks.map(({ key }) => key))]);
  return { ...choice, changedBytes, key: choice.key ?? makeKey(disk.disk, used) };
}

async function copyDisk(
  { folder, run, made, options, progress }: Work,
  disk: SourceDisk,
  plan: Plan,
  limits: { rate: RateLimit | null; queueBytes: number },
): Promise<DiskRun> {
  const { signal } = options;
  const { verdict, reason, message, base, key, map, changedBytes } = plan;
  await options.onDisk?.({ disk: disk.disk, verdict, reason, message, changedBytes, map });
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
        onBytes: (bytes) => {
          progress.doneBytes += bytes;
          // Ranges are widened to whole clusters, so more may be read than the map tells.
          progress.totalBytes = Math.max(progress.totalBytes, progress.doneBytes);
          options.onProgress?.(progress);
        },
      });
    });
    await layer.finish();
    const summed = await sums.finish();
    return {
      disk: disk.disk,
      key,
      sizeBytes,
      epoch: disk.epoch,
      changeId: disk.changeId,
      verdict,
      reason,
      message,
      base: base === null ? null : { run: base.run.run, pit: base.run.pit },
      file,
      fileBytes: await fileSize(folder.file(file + PART)),
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
async function withData<T>(data: DiskData, work: (data: DiskData) => Promise<T>): Promise<T> {
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

async function fileSize(path: string): Promise<number> {
  return (await onFile(path, 'looking', () => stat(path))).size;
}

async function publish(folder: BackupFolder, manifest: Manifest): Promise<void> {
  const text = formatManifest(manifest);
  for (const { file, sums } of manifest.disks) {
    for (const name of [file, sums.file]) {
      await onFile(folder.file(name), 'renaming', () => rename(folder.file(name + PART), folder.file(name)));
    }
  }
  await syncFolder(folder.path);
  await replaceFile(folder.file(manifestName(manifest.run)), text);
}

/** The run stands already: a point in time that could not be kept costs the next run some reading, no data. */
async function commit(session: SourceSession): Promise<string[]> {
  const later = 'the next run copies what changed since an earlier one';
  try {
    const failed = await session.commit();
    return failed.map(
      ({ disk, error }) => `${disk}: its point in time was not kept (${error.message}); ${later}`,
    );
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    return [`the points in time of this run were not kept (${error.message}); ${later}`];
  }
}

async function undo({ folder, session, made }: Work, hasIntent: boolean): Promise<void> {
  // The point in time first: it is what would be missed. Files without a manifest go now or with the next run.
  await session.rollback();
  for (const name of made) await removeFile(folder.file(name));
  if (hasIntent) await clearIntent(folder.path);
}
