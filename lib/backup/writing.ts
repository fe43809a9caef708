/**
 * Opening a folder for writing, which also brings it into order: what an interrupted run left is undone, an interrupted
 * prune is brought to its end.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { finishedName } from '../linux/wholeFile.js';
import { readSmallFile, removeFile, replaceFile, syncFolder } from './durable.js';
import { BackupFolder } from './folder.js';
import { undoIntent } from './imagesSource.js';
import { LOCK_NAME, lockFolder } from './lock.js';
import { finishMerge, MERGE_NAME } from './merge.js';
import { PART, parseLayerName, parseManifestName } from './names.js';

const INTENT_NAME = 'pending.json';
const MAX_INTENT_BYTES = 1 << 20;
const intentSchema = z.object({ pit: z.string(), images: z.array(z.string()) });
export type Intent = z.infer<typeof intentSchema>;

export interface WritableFolder extends AsyncDisposable {
  folder: BackupFolder;
  /** What could not be brought into order. */
  warnings: string[];
}

/** Takes the folder's lock; it is given back with the returned object. */
export async function openForWriting(
  path: string,
  options: { create?: boolean } = {},
): Promise<WritableFolder> {
  const { path: absolute } = await BackupFolder.read(path, options);
  const lock = await lockFolder(absolute);
  try {
    await finishMerge(absolute);
    const warnings = await undoLeftIntent(absolute);
    await tidy(absolute);
    const folder = await BackupFolder.read(absolute);
    for (const { error } of folder.damaged) warnings.push(error.message);
    return { folder, warnings, [Symbol.asyncDispose]: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

export async function writeIntent(folder: string, intent: Intent): Promise<void> {
  await replaceFile(join(folder, INTENT_NAME), `${JSON.stringify(intent)}\n`);
}

export async function clearIntent(folder: string): Promise<void> {
  await removeFile(join(folder, INTENT_NAME));
}

/** A run on images that died: its point in time goes, unless its manifest says that the run is complete. */
async function undoLeftIntent(path: string): Promise<string[]> {
  const text = await readSmallFile(join(path, INTENT_NAME), MAX_INTENT_BYTES);
  if (text === null) return [];
  const intent = parseIntent(text);
  if (intent === null) {
    await clearIntent(path);
    return [`${INTENT_NAME} is damaged: a point in time of an interrupted run may be left on its images`];
  }
  const { runs } = await BackupFolder.read(path);
  const warnings = runs.some((run) => run.pit === intent.pit) ? [] : await undoIntent(intent);
  await clearIntent(path);
  return warnings;
}

function parseIntent(text: string): Intent | null {
  try {
    const checked = intentSchema.safeParse(JSON.parse(text));
    return checked.success ? checked.data : null;
  } catch {
    return null;
  }
}

/**
 * Removes what has a name of ours and no run: unfinished files, and finished ones that no manifest lists. What belongs to a
 * run whose manifest is damaged stays.
 */
async function tidy(path: string): Promise<void> {
  const { names, runs, damaged } = await BackupFolder.read(path);
  const listed = new Set(runs.flatMap(({ disks }) => disks.flatMap(({ file, sums }) => [file, sums.file])));
  const unclear = new Set(damaged.map(({ run }) => run));
  let removed = false;
  for (const name of names) {
    const whole = finishedName(name) ?? (name.endsWith(PART) ? name.slice(0, -PART.length) : null);
    const layer = parseLayerName(whole ?? name);
    const unfinished =
      whole !== null && (layer !== null || parseManifestName(whole) !== null || OWN_FILES.includes(whole));
    const orphan = whole === null && layer !== null && !listed.has(name) && !unclear.has(layer.run);
    const oldLock = /^lock\.json\.[0-9a-f-]{36}$/.test(name);
    if (!unfinished && !orphan && !oldLock) continue;
    await removeFile(join(path, name));
    removed = true;
  }
  if (removed) await syncFolder(path);
}

const OWN_FILES: readonly string[] = [INTENT_NAME, LOCK_NAME, MERGE_NAME, 'forgotten.json'];
