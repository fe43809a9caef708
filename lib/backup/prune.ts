/**
 * Forgets runs by rules: in the folder, where what later runs need is merged up, and then in the chains of the disks. What
 * is to be forgotten there is written down first, so that an interruption forgets nothing of it.
 */
import { CbtError, throwIfAborted } from '../core/errors.js';
import { removeFile, replaceFile, syncFolder } from './durable.js';
import { BackupFolder, type Layer } from './folder.js';
import {
  type Forgetting,
  type ForgottenPoint,
  forgetPoints,
  noteForgotten,
  prepareForgetting,
} from './forgetting.js';
import type { KeepRules } from './keepRules.js';
import { keptRuns } from './keptRuns.js';
import { mergeLayers, withoutDisk } from './merge.js';
import { manifestName } from './names.js';
import { type PendingRun, undoPoints, writePending } from './pending.js';
import type { BackupSource } from './source.js';
import { UnlistedLayers } from './unlisted.js';
import { openForWriting } from './writing.js';

/** What is pruned, by which rules. */
export interface PruneOptions {
  /** Folder of the backup. */
  from: string;
  rules: KeepRules;
  /** Only say what would be done. */
  dryRun?: boolean | undefined;
  /** Whose points in time are forgotten; they wait for a later prune unless given. It has to be the folder's. */
  source?: BackupSource | undefined;
  signal?: AbortSignal | undefined;
  /** Told as bytes are merged, of all disks. */
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** What became, or would become, of a layer. */
export interface PrunedLayer {
  run: number;
  pit: string;
  disk: string;
  /** `kept`: it has to stay, `because`. */
  action: 'removed' | 'merged' | 'kept';
  because?: string;
  /** The run it was merged into. */
  into?: number;
}

/** What a prune did, or with `dryRun` would do. */
export interface PruneResult {
  kept: number[];
  layers: PrunedLayer[];
  /** Points in time that were forgotten on the disks, and those that still wait for it. */
  forgotten: ForgottenPoint[];
  waiting: ForgottenPoint[];
  warnings: string[];
}

/** Forgets runs that no rule keeps; what a later run still needs is merged into it first. Interrupted, it is finished by the next run or prune. */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const { rules, signal } = options;
  if (options.dryRun) return planOnly(await BackupFolder.read(options.from), rules);
  await using target = await openForWriting(options.from, { takesAway: true });
  const { warnings } = target;
  let { folder } = target;
  requireAllReadable(folder);
  const keep = await keptRuns(folder, rules);
  const { source } = options;
  const forgetting = source === undefined ? null : await prepareForgetting(folder, source, signal);
  const undone = await undoLeft(target.pending, forgetting, signal);
  await writePending(folder.path, undone.left);
  warnings.push(...undone.warnings);
  const total = folder.runs
    .filter(({ run }) => !keep.has(run))
    .flatMap(({ disks }) => disks)
    .reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    options.onProgress?.(done, Math.max(done, total));
  };
  const layers: PrunedLayer[] = [];
  const unlisted = await UnlistedLayers.read(folder);
  let damage: CbtError | null = null;
  for (const layer of doomed(folder, keep)) {
    throwIfAborted(signal);
    // Read again: a merge changed the manifests of both runs.
    folder = await BackupFolder.read(folder.path);
    const now = find(folder, layer);
    if (now === null) continue;
    const planned = planLayer(folder, now, unlisted);
    try {
      const { told, child } = planned;
      if (told.action !== 'kept') await noteForgotten(folder.path, now);
      if (told.action === 'removed') await removeLayer(folder, now);
      if (child !== null) await mergeLayers(folder, now, child, { signal, onBytes });
      layers.push(told);
    } catch (error) {
      // Damage of one disk's layers is no reason to leave the others'.
      if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
      damage ??= error;
      layers.push({ ...planned.told, action: 'kept', because: error.message });
    }
  }
  folder = await BackupFolder.read(folder.path);
  const { forgotten, waiting } = await forgetPoints(folder, forgetting, warnings, signal);
  if (damage !== null) throw damage;
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

/** A layer that nothing builds on: without its line in the manifest, its files are nothing. */
async function removeLayer(folder: BackupFolder, { run, disk }: Layer): Promise<void> {
  const manifest = folder.file(manifestName(run.run));
  const rest = withoutDisk(run, disk.key);
  if (rest === null) await removeFile(manifest);
  else await replaceFile(manifest, rest);
  await syncFolder(folder.path);
  await removeFile(folder.file(disk.file));
  await removeFile(folder.file(disk.sums.file));
}
