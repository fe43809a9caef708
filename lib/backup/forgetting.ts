/**
 * Points in time that a prune takes off the disks. What is to be forgotten is written down first, so that an interruption
 * forgets nothing of it; it is done on the disk of the same series and history, never on one that merely has the name.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { readSmallFile, removeFile, replaceFile } from './durable.js';
import type { BackupFolder, Layer } from './folder.js';
import { claimFolder } from './owner.js';
import { type Place, placeDisks } from './series.js';
import type { BackupSource, FoundDisk, SourceFacts } from './source.js';

export const FORGOTTEN_NAME = 'forgotten.json';
const MAX_FORGOTTEN_BYTES = 64 << 20;

const forgottenSchema = z.object({
  pit: z.string(),
  disk: z.string(),
  /** Absent where an earlier version wrote it: then only the name is known. */
  epoch: z.string().nullable().optional(),
  sequence: z.number().nullable().optional(),
  key: z.string().optional(),
});

/** A point in time of a run that was pruned. */
export type ForgottenPoint = z.infer<typeof forgottenSchema>;

async function read(path: string): Promise<ForgottenPoint[]> {
  const text = await readSmallFile(join(path, FORGOTTEN_NAME), MAX_FORGOTTEN_BYTES);
  if (text === null) return [];
  try {
    const checked = z.array(forgottenSchema).safeParse(JSON.parse(text));
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

async function write(path: string, list: readonly ForgottenPoint[]): Promise<void> {
  const file = join(path, FORGOTTEN_NAME);
  if (list.length === 0) await removeFile(file);
  else await replaceFile(file, `${JSON.stringify(list)}\n`);
}

export async function noteForgotten(path: string, { run, disk }: Layer): Promise<void> {
  // Nothing keeps points in time of such a disk.
  if (disk.epoch === null) return;
  const list = await read(path);
  const { epoch, key, sequence } = disk;
  if (list.some((entry) => entry.pit === run.pit && entry.key === key)) return;
  const entry = { pit: run.pit, disk: disk.disk, epoch, key, ...(sequence !== undefined && { sequence }) };
  await write(path, [...list, entry]);
}

/** The disks on which points are forgotten, each with the series that it is. */
export interface Forgetting {
  source: BackupSource;
  facts: SourceFacts;
  disks: readonly { disk: FoundDisk; place: Place }[];
}

/** Looks at the source before anything is pruned; one that the folder is not of is refused. */
export async function prepareForgetting(
  folder: BackupFolder,
  source: BackupSource,
  signal: AbortSignal | undefined,
): Promise<Forgetting> {
  const facts = await source.facts(signal);
  const { owner, folder: marked } = await claimFolder(folder, facts, {}, new Date());
  const places = await placeDisks(marked, owner, facts);
  const disks = facts.disks.flatMap((disk) => {
    const place = places.get(disk.disk);
    return place === undefined ? [] : [{ disk, place }];
  });
  return { source, facts, disks };
}

/** Forgets what is written down, but for points that a run of the folder still has (a merge that never began). */
export async function forgetPoints(
  folder: BackupFolder,
  forgetting: Forgetting | null,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<{ forgotten: ForgottenPoint[]; waiting: ForgottenPoint[] }> {
  const forgotten: ForgottenPoint[] = [];
  const waiting: ForgottenPoint[] = [];
  for (const entry of await read(folder.path)) {
    if (isStillThere(folder, entry)) continue;
    const found = forgetting === null ? null : diskOf(folder, forgetting, entry);
    if (forgetting === null || found === null) {
      waiting.push(entry);
      continue;
    }
    try {
      const { epoch = found.epoch, sequence = null, pit } = entry;
      const point = found.points.find(
        (one) => one.pit === pit && (sequence === null || one.sequence === sequence),
      );
      // In another history it is gone with its own.
      if (point !== undefined && found.epoch === epoch)
        await forgetting.source.forget(found.disk, point.changeId, signal);
      forgotten.push(entry);
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
      if (error.reason === 'UNKNOWN_PIT') forgotten.push(entry);
      else {
        warnings.push(`${found.disk}: the point in time ${entry.pit} was not forgotten: ${error.message}`);
        waiting.push(entry);
      }
    }
  }
  await write(folder.path, waiting);
  return { forgotten, waiting };
}

function isStillThere({ runs }: BackupFolder, { pit, key }: ForgottenPoint): boolean {
  return runs.some(
    (run) => run.pit === pit && (key === undefined || run.disks.some((disk) => disk.key === key)),
  );
}

/** The disk that is meant: of the entry's series; by its name where nothing else is known, and no run has the point. */
function diskOf(folder: BackupFolder, { disks }: Forgetting, entry: ForgottenPoint): FoundDisk | null {
  const { key } = entry;
  const found = disks.find(({ disk, place }) =>
    key === undefined
      ? disk.disk === entry.disk
      : [place.series, place.joins].some((series) =>
          series?.layers.some((layer) => layer.disk.key === key || series.id === folder.seriesOf({ key })),
        ),
  );
  return found?.disk ?? null;
}
