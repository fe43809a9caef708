/**
 * What is under way, in `pending.json`: the files that a run is going to make, and the point in time that it takes on images.
 * Whoever writes to the folder next removes the files that no manifest lists; a point in time goes when its image is named
 * again. What the file says is only ever done to files in the folder and to images that the caller names: a folder is
 * somebody else's text, and makes us open nothing.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { readSmallFile, removeFile, replaceFile, syncFolder } from './durable.js';
import { isMissing, onFile } from './fileFault.js';
import type { BackupFolder } from './folder.js';
import { PART, parseLayerName, parseManifestName } from './names.js';
import type { BackupSource, SourceFacts } from './source.js';

export const PENDING_NAME = 'pending.json';
const MAX_PENDING_BYTES = 16 << 20;

const runSchema = z.object({
  /** 0 where an earlier version wrote it. */
  run: z.number().int().nonnegative(),
  pit: z.string(),
  /** Images on which the point in time may have been left. */
  images: z.array(z.string()),
  /** Names in the folder. */
  files: z.array(z.string()),
});
const pendingSchema = z.object({ runs: z.array(runSchema) });
const firstVersion = z.object({ pit: z.string(), images: z.array(z.string()) });

/** A run that did not come to its end. */
export type PendingRun = z.infer<typeof runSchema>;

/** Every run that has not ended; null when the file cannot be understood. */
export async function readPending(folder: string): Promise<PendingRun[] | null> {
  const text = await readSmallFile(join(folder, PENDING_NAME), MAX_PENDING_BYTES);
  if (text === null) return [];
  try {
    const raw: unknown = JSON.parse(text);
    const checked = pendingSchema.safeParse(raw);
    if (checked.success) return checked.data.runs;
    const old = firstVersion.safeParse(raw);
    return old.success ? [{ run: 0, files: [], ...old.data }] : null;
  } catch {
    return null;
  }
}

export async function writePending(folder: string, runs: readonly PendingRun[]): Promise<void> {
  const path = join(folder, PENDING_NAME);
  if (runs.length === 0) await removeFile(path);
  else await replaceFile(path, `${JSON.stringify({ runs })}\n`);
}

/** Removes the files of interrupted runs, and gives back what has still to be undone on images. */
export async function removePendingFiles(
  folder: BackupFolder,
  pending: readonly PendingRun[],
): Promise<PendingRun[]> {
  const listed = new Set(
    folder.runs.flatMap(({ disks }) => disks.flatMap(({ file, sums }) => [file, sums.file])),
  );
  const unclear = new Set(folder.damaged.map(({ run }) => run));
  let removed = false;
  for (const { run, files } of pending) {
    // A damaged manifest may list them: its run was complete.
    if (unclear.has(run)) continue;
    for (const name of files) {
      if (!isOfRun(name, run) || listed.has(name)) continue;
      if (!(await isRegular(folder.file(name)))) continue;
      await removeFile(folder.file(name));
      removed = true;
    }
  }
  if (removed) await syncFolder(folder.path);
  const complete = new Set(folder.runs.map(({ pit }) => pit));
  return pending
    .filter(({ pit, run, images }) => images.length > 0 && !complete.has(pit) && !unclear.has(run))
    .map((left) => ({ ...left, files: [] }));
}

/** Only names that a run gives its files, and no manifest that is there under its own name. */
function isOfRun(name: string, run: number): boolean {
  const whole = name.endsWith(PART) ? name.slice(0, -PART.length) : name;
  return parseLayerName(whole)?.run === run || (whole !== name && parseManifestName(whole) === run);
}

async function isRegular(path: string): Promise<boolean> {
  return onFile(path, 'looking', async () => {
    try {
      return (await lstat(path)).isFile();
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  });
}

/** Takes the points of interrupted runs off the disks of this source; gives back what is left, and says what failed. */
export async function undoPoints(
  pending: readonly PendingRun[],
  facts: SourceFacts,
  source: Pick<BackupSource, 'undo'>,
  signal: AbortSignal | undefined,
): Promise<{ left: PendingRun[]; warnings: string[] }> {
  const warnings: string[] = [];
  const left: PendingRun[] = [];
  for (const run of pending) {
    const done = new Set<string>();
    for (const { disk, image, points, error } of facts.disks) {
      if (error !== undefined) continue;
      try {
        if (points.some((one) => one.pit === run.pit)) await source.undo(disk, run.pit, signal);
        done.add(disk);
        if (image !== null) done.add(image);
      } catch (thrown) {
        throwIfAborted(signal);
        if (!(thrown instanceof CbtError) || thrown.code === 'ERR_CBT_INTERNAL') throw thrown;
        warnings.push(
          `${disk}: the point in time ${run.pit} of an interrupted run stays for now: ${thrown.message}`,
        );
      }
    }
    const images = run.images.filter((path) => !done.has(path));
    if (images.length > 0) left.push({ ...run, images });
  }
  return { left, warnings };
}
