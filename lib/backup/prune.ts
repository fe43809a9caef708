/**
 * Forgets runs by rules: in the folder, where what later runs need is merged up, and then in the chains of the disks. What
 * is to be forgotten there is written down first, so that an interruption forgets nothing of it.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { readSmallFile, removeFile, replaceFile, syncFolder } from './durable.js';
import { BackupFolder, type Layer } from './folder.js';
import { type KeepRules, runsToKeep } from './keepRules.js';
import { mergeLayers, withoutDisk } from './merge.js';
import { manifestName } from './names.js';
import { openForWriting } from './writing.js';

/** What is pruned, by which rules. */
export interface PruneOptions {
  /** Folder of the backup. */
  from: string;
  rules: KeepRules;
  /** Only say what would be done. */
  dryRun?: boolean | undefined;
  /** Forgets a point in time on a disk; resolves when it is gone or was never there. */
  forget?: ((pit: string, disk: string) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
  /** Told as bytes are merged, of all disks. */
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** What became, or would become, of a layer. */
export interface PrunedLayer {
  run: number;
  pit: string;
  disk: string;
  /** `kept`: two runs build on it, so it has to stay. */
  action: 'removed' | 'merged' | 'kept';
  /** The run it was merged into. */
  into?: number;
}

/** What a prune did, or with `dryRun` would do. */
export interface PruneResult {
  kept: number[];
  layers: PrunedLayer[];
  /** Points in time that were forgotten on the disks, and those that still wait for it. */
  forgotten: { pit: string; disk: string }[];
  waiting: { pit: string; disk: string }[];
  warnings: string[];
}

const FORGOTTEN_NAME = 'forgotten.json';
const MAX_FORGOTTEN_BYTES = 64 << 20;
const forgottenSchema = z.array(z.object({ pit: z.string(), disk: z.string() }));
type Forgotten = z.infer<typeof forgottenSchema>;

/** Forgets runs that no rule keeps; what a later run still needs is merged into it first. Interrupted, it is finished by the next run or prune. */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const { rules, signal } = options;
  if (options.dryRun) return planOnly(await BackupFolder.read(options.from), rules);
  await using target = await openForWriting(options.from);
  const { warnings } = target;
  let { folder } = target;
  requireAllReadable(folder);
  const keep = keptRuns(folder, rules);
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
  for (const layer of doomed(folder, keep)) {
    throwIfAborted(signal);
    // Read again: a merge changed the manifests of both runs.
    folder = await BackupFolder.read(folder.path);
    const now = find(folder, layer);
    if (now === null) continue;
    const children = folder.children(now.run, now.disk);
    const [child] = children;
    const what = { run: now.run.run, pit: now.run.pit, disk: now.disk.disk };
    if (children.length > 1) {
      layers.push({ ...what, action: 'kept' });
      continue;
    }
    await noteForgotten(folder.path, { pit: now.run.pit, disk: now.disk.disk });
    if (child === undefined) {
      await removeLayer(folder, now);
      layers.push({ ...what, action: 'removed' });
    } else {
      await mergeLayers(folder, now, child, { signal, onBytes });
      layers.push({ ...what, action: 'merged', into: child.run.run });
    }
  }
  folder = await BackupFolder.read(folder.path);
  const { forgotten, waiting } = await forgetPoints(folder, options.forget, warnings);
  return { kept: folder.runs.map(({ run }) => run), layers, forgotten, waiting, warnings };
}

/** A damaged manifest may build on any run: nothing may be merged away below it. */
function requireAllReadable(folder: BackupFolder): void {
  const [broken] = folder.damaged;
  if (broken === undefined) return;
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${broken.error.message}; nothing is pruned, because what that run builds on cannot be told (move its manifest away to go on)`,
    { details: { file: broken.file } },
  );
}

function planOnly(folder: BackupFolder, rules: KeepRules): PruneResult {
  requireAllReadable(folder);
  const keep = keptRuns(folder, rules);
  const layers = doomed(folder, keep).map(({ run, disk }): PrunedLayer => {
    const children = folder.children(run, disk);
    const what = { run: run.run, pit: run.pit, disk: disk.disk };
    const [child] = children;
    if (child === undefined) return { ...what, action: 'removed' };
    if (children.length > 1) return { ...what, action: 'kept' };
    return { ...what, action: 'merged', into: child.run.run };
  });
  return {
    kept: folder.runs.filter(({ run }) => keep.has(run)).map(({ run }) => run),
    layers,
    forgotten: [],
    waiting: [],
    warnings: [],
  };
}

/** Beside what the rules keep, the newest run of every disk: pruning never takes the last state of one. */
function keptRuns(folder: BackupFolder, rules: KeepRules): Set<number> {
  const keep = runsToKeep(folder.runs, rules);
  const newest = new Map<string, number>();
  for (const { run, disks } of folder.runs) for (const { key } of disks) newest.set(key, run);
  for (const run of newest.values()) keep.add(run);
  return keep;
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

async function readForgotten(path: string): Promise<Forgotten> {
  const text = await readSmallFile(join(path, FORGOTTEN_NAME), MAX_FORGOTTEN_BYTES);
  if (text === null) return [];
  try {
    const checked = forgottenSchema.safeParse(JSON.parse(text));
    if (checked.success) return checked.data;
  } catch {
    // Said below.
  }
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${FORGOTTEN_NAME} is damaged: the points in time that were to be forgotten on the disks are not known; remove it to go on`,
    { details: { file: FORGOTTEN_NAME } },
  );
}

async function writeForgotten(path: string, list: Forgotten): Promise<void> {
  const file = join(path, FORGOTTEN_NAME);
  if (list.length === 0) await removeFile(file);
  else await replaceFile(file, `${JSON.stringify(list)}\n`);
}

async function noteForgotten(path: string, entry: Forgotten[number]): Promise<void> {
  const list = await readForgotten(path);
  if (list.some(({ pit, disk }) => pit === entry.pit && disk === entry.disk)) return;
  await writeForgotten(path, [...list, entry]);
}

/** Forgets what is written down, but for points that a run of the folder still has (a merge that never began). */
async function forgetPoints(
  folder: BackupFolder,
  forget: PruneOptions['forget'],
  warnings: string[],
): Promise<{ forgotten: Forgotten; waiting: Forgotten }> {
  const stillThere = ({ pit, disk }: Forgotten[number]): boolean =>
    folder.runs.some((run) => run.pit === pit && run.disks.some((layer) => layer.disk === disk));
  const list = (await readForgotten(folder.path)).filter((entry) => !stillThere(entry));
  const forgotten: Forgotten = [];
  const waiting: Forgotten = [];
  for (const entry of list) {
    if (forget === undefined) {
      waiting.push(entry);
      continue;
    }
    try {
      await forget(entry.pit, entry.disk);
      forgotten.push(entry);
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      warnings.push(`${entry.disk}: the point in time ${entry.pit} was not forgotten: ${error.message}`);
      waiting.push(entry);
    }
  }
  await writeForgotten(folder.path, waiting);
  return { forgotten, waiting };
}
