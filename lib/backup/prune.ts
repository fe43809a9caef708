/**
 * Forgets runs by rules: in the folder, where what later runs need is merged up, and then in the chains of the disks. What
 * is to be forgotten there is written down first, so that an interruption forgets nothing of it.
 */

import type { CallOptions } from '../core/callOptions.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';
import { type Checks, callback, checkOptions, flag, required, shape, text } from '../core/options.js';
import { type OnProgress, Progress } from '../core/progress.js';
import { isNoSpace } from '../linux/freeSpace.js';
import { type Logger, logger } from '../watch/logger.js';
import { checkedSource } from './checkedSource.js';
import { removeFile, replaceFile, syncFolder } from './durable.js';
import { BackupFolder, type Layer } from './folder.js';
import {
  type Forgetting,
  type ForgottenPoint,
  forgetPoints,
  noteForgotten,
  prepareForgetting,
} from './forgetting.js';
import { whoUses } from './inUse.js';
import { KEEP_RULES, type KeepRules, requireCounted } from './keepRules.js';
import { keptRuns } from './keptRuns.js';
import { formatManifest } from './manifest.js';
import { mergeLayers } from './merge.js';
import { readJournal } from './mergeJournal.js';
import { manifestName } from './names.js';
import { CALL, source } from './options.js';
import { type PendingRun, undoPoints, writePending } from './pending.js';
import type { BackupSource } from './source.js';
import { toldBackup } from './told.js';
import { UnlistedLayers } from './unlisted.js';
import { openForWriting } from './writing.js';

/** What is pruned, by which rules. */
export interface PruneOptions extends CallOptions {
  /** Folder of the backup. */
  from: string;
  /** Which runs stay. */
  rules: KeepRules;
  /** Only say what would be done. */
  dryRun?: boolean | undefined;
  /** Whose points in time are forgotten; they wait for a later prune unless given. It has to be the folder's. */
  source?: BackupSource | undefined;
  /** Told as bytes are merged, of all disks. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** What became, or would become, of a layer. */
export interface PrunedLayer {
  /** Number of its run. */
  run: number;
  /** UUID of its point in time. */
  pit: PointId;
  /** Name of the disk. */
  disk: DiskName;
  /** `kept`: it has to stay, `because`. */
  action: 'removed' | 'merged' | 'kept';
  /** Why it stays, where it does. */
  because?: string;
  /** The run it was merged into. */
  into?: number;
}

/** What a prune did, or with `dryRun` would do. */
export interface PruneResult {
  /** Numbers of the runs that are still there. */
  kept: number[];
  /** What became of each layer that no rule keeps. */
  layers: PrunedLayer[];
  /** Points in time that were forgotten on the disks, and those that still wait for it. */
  forgotten: ForgottenPoint[];
  /** Points in time that still wait to be forgotten. */
  waiting: ForgottenPoint[];
  /** What whoever looks after backups should know. */
  warnings: string[];
}

const PRUNE: Checks<PruneOptions> = {
  from: required(text),
  rules: required(shape<KeepRules>(KEEP_RULES)),
  dryRun: flag,
  source,
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Forgets runs that no rule keeps; what a later run still needs is merged into it first. Interrupted, it is finished by the next run or prune.
 * @param options Which folder, and what stays.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * const { layers } = await prune({ from: '/backup/web', rules: { last: 7 } });
 * ```
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  checkOptions('prune', options, PRUNE);
  requireCounted(options.rules);
  return toldBackup('prune', { folder: options.from }, options, pruneFolder);
}

async function pruneFolder(options: PruneOptions): Promise<PruneResult> {
  const { rules, signal } = options;
  if (options.dryRun) return planOnly(await BackupFolder.read(options.from), rules);
  await using target = await openForWriting(options.from, { takesAway: true });
  const { warnings } = target;
  let { folder } = target;
  requireAllReadable(folder);
  const keep = await keptRuns(folder, rules);
  const source = options.source === undefined ? undefined : checkedSource(options.source);
  const forgetting = source === undefined ? null : await prepareForgetting(folder, source, signal);
  const undone = await undoLeft(target.pending, forgetting, signal);
  await writePending(folder.path, undone.left);
  warnings.push(...undone.warnings);
  const totalBytes = folder.runs
    .filter(({ run }) => !keep.has(run))
    .flatMap(({ disks }) => disks)
    .reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const progress = new Progress('merge', options.onProgress, { totalBytes });
  const layers: PrunedLayer[] = [];
  const unlisted = await UnlistedLayers.read(folder);
  let damage: CbtError | null = null;
  /** Layers for whose merge, or new manifest, there is no room yet. */
  let short: { layer: Layer; told: PrunedLayer; error: CbtError }[] = [];
  for (let left = doomed(folder, keep); left.length > 0; ) {
    const before = layers.length;
    short = [];
    for (const layer of left) {
      throwIfAborted(signal);
      // Read again: a merge changed the manifests of both runs.
      folder = await BackupFolder.read(folder.path);
      const now = find(folder, layer);
      if (now === null) continue;
      const { told, child } = planLayer(folder, now, unlisted);
      try {
        if (told.action === 'removed') {
          const gone = removedWith(folder, now, unlisted);
          const user = await whoUses(folder, gone);
          if (user !== null) {
            layers.push({ ...told, action: 'kept', because: user });
            continue;
          }
          await removeAndNote(folder, gone, warnings);
          layers.push(...gone.map((one) => planLayer(folder, one, unlisted).told));
          continue;
        }
        if (child !== null) {
          const user = await whoUses(folder, [now, child]);
          if (user !== null) {
            layers.push({ ...told, action: 'kept', because: user });
            continue;
          }
          await noteForgotten(folder.path, now);
          const onBytes = (bytes: number): void => progress.add(now.disk.disk, bytes);
          await mergeLayers(folder, now, child, { signal, onBytes });
        }
        layers.push(told);
      } catch (error) {
        if (!(error instanceof CbtError)) throw error;
        // Damage of one disk's layers, or want of room for one, is no reason to leave the others'; a merge that has begun is.
        if (isNoSpace(error) && (await readJournal(folder.path)) === null) short.push({ layer, told, error });
        else if (error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
        else {
          damage ??= error;
          layers.push({ ...told, action: 'kept', because: error.message });
        }
      }
    }
    // What went may have made the room.
    left = layers.length > before ? short.map(({ layer }) => layer) : [];
  }
  for (const { told, error } of short) layers.push({ ...told, action: 'kept', because: error.message });
  folder = await BackupFolder.read(folder.path);
  const { forgotten, waiting } = await forgetPoints(folder, forgetting, warnings, signal);
  if (damage !== null) throw damage;
  const [first] = short;
  if (first !== undefined) throw first.error;
  return { kept: folder.runs.map(({ run }) => run), layers, forgotten, waiting, warnings };
}

/** Points of interrupted runs go from the disks that are given; without any they wait for a run of those. */
async function undoLeft(
  pending: readonly PendingRun[],
  forgetting: Forgetting | null,
  signal: AbortSignal | undefined,
): Promise<{ left: PendingRun[]; warnings: string[] }> {
  if (forgetting === null) return { left: [...pending], warnings: [] };
  return undoPoints(pending, forgetting.facts, forgetting.source, signal);
}

/** A damaged manifest may build on any run: nothing may be merged away below it. */
function requireAllReadable(folder: BackupFolder): void {
  const [broken] = folder.damaged;
  if (broken === undefined) return;
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${broken.error.message}; nothing is pruned while what that run builds on cannot be told: put a good copy of ${broken.file} in its place, or move that one file away and leave the run's layers where they are (what they build on stays, and so does what builds on them)`,
    { details: { file: broken.file } },
  );
}

async function planOnly(folder: BackupFolder, rules: KeepRules): Promise<PruneResult> {
  requireAllReadable(folder);
  const keep = await keptRuns(folder, rules);
  const unlisted = await UnlistedLayers.read(folder);
  return {
    kept: folder.runs.filter(({ run }) => keep.has(run)).map(({ run }) => run),
    layers: doomed(folder, keep).map((layer) => planLayer(folder, layer, unlisted).told),
    forgotten: [],
    waiting: [],
    warnings: [],
  };
}

/** What becomes of a layer, and the one that it is merged into. */
function planLayer(
  folder: BackupFolder,
  { run, disk }: Layer,
  unlisted: UnlistedLayers,
): { told: PrunedLayer; child: Layer | null } {
  const what = { run: run.run, pit: run.pit, disk: disk.disk };
  const children = folder.children(run, disk);
  const builder = unlisted.on(disk);
  const [child = null] = children;
  const kept = (because: string) => ({ told: { ...what, action: 'kept' as const, because }, child: null });
  if (children.length > 1) return kept('two runs build on it');
  if (builder !== null) return kept(`${builder}, which no manifest lists, may build on it`);
  if (child === null) return { told: { ...what, action: 'removed' }, child };
  return { told: { ...what, action: 'merged', into: child.run.run }, child };
}

/** Oldest first: so every increment is copied once. */
function doomed(folder: BackupFolder, keep: ReadonlySet<number>): Layer[] {
  return folder.runs
    .filter(({ run }) => !keep.has(run))
    .flatMap((run) => run.disks.map((disk) => ({ run, disk })));
}

function find(folder: BackupFolder, { run, disk }: Layer): Layer | null {
  const now = folder.runs.find((candidate) => candidate.run === run.run);
  const layer = now?.disks.find(({ key }) => key === disk.key);
  return now === undefined || layer === undefined ? null : { run: now, disk: layer };
}

/** A run of which nothing is needed goes as a whole: that takes no new space, not even for a shorter manifest. */
function removedWith(folder: BackupFolder, layer: Layer, unlisted: UnlistedLayers): Layer[] {
  const { run } = layer;
  const all = run.disks.map((disk) => ({ run, disk }));
  return all.every((one) => planLayer(folder, one, unlisted).told.action === 'removed') ? all : [layer];
}

/** It is noted first what is to be forgotten, unless the disk is so full that only the removal makes room for that. */
async function removeAndNote(
  folder: BackupFolder,
  layers: readonly Layer[],
  warnings: string[],
): Promise<void> {
  const unnoted: Layer[] = [];
  for (const layer of layers)
    await noteForgotten(folder.path, layer).catch((error: unknown) => {
      if (!isNoSpace(error)) throw error;
      unnoted.push(layer);
    });
  await removeLayers(folder, layers);
  for (const layer of unnoted)
    await noteForgotten(folder.path, layer).catch((error: unknown) => {
      if (!isNoSpace(error)) throw error;
      warnings.push(
        `${layer.disk.disk}: that the point in time ${layer.run.pit} is to be forgotten on the disk could not be noted, for want of room: forget it there (qemu-cbt forget)`,
      );
    });
}

/** Layers of one run that nothing builds on: without their lines in the manifest, their files are nothing. */
async function removeLayers(folder: BackupFolder, layers: readonly Layer[]): Promise<void> {
  const [first] = layers;
  if (first === undefined) return;
  const manifest = folder.file(manifestName(first.run.run));
  const disks = first.run.disks.filter(({ key }) => !layers.some(({ disk }) => disk.key === key));
  if (disks.length === 0) await removeFile(manifest);
  else await replaceFile(manifest, formatManifest({ ...first.run, disks }));
  await syncFolder(folder.path);
  for (const { disk } of layers) {
    await removeFile(folder.file(disk.file));
    await removeFile(folder.file(disk.sums.file));
  }
}
