/**
 * The record of a merge that is under way: what the two manifests are now, and will be. From the moment it is written the
 * lower run's disk is gone and the upper run is read as the record says, whoever reads and however far the merge has come.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { readSmallFile } from './durable.js';
import { type DiskRun, MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.js';

export const MERGE_NAME = 'merge.json';

/** The manifests as texts: each checks itself when it is read. */
const journalSchema = z.strictObject({
  key: z.string(),
  below: z.number().int().positive(),
  above: z.number().int().positive(),
  /** The upper run's manifest as it is now, and afterwards. */
  oldAbove: z.string(),
  newAbove: z.string(),
  /** The lower run's manifest afterwards; null when it held this disk only. */
  newBelow: z.string().nullable(),
});
export type JournalText = z.infer<typeof journalSchema>;

/** What the record of a merge says, in parts. */
export interface MergeJournal {
  /** Which disk, across its names. */
  key: string;
  /** Numbers of the two runs. */
  below: number;
  /** Number of the run that stays. */
  above: number;
  /** The upper run's disk as it was, and as it will be. */
  before: DiskRun;
  /** The upper run's disk as it will be. */
  after: DiskRun;
  /** Manifest of the upper run as it will be. */
  newAbove: Manifest;
  /** Null when the lower run held this disk only. */
  newBelow: Manifest | null;
}

/** The record of a folder; null where no merge is under way. Everything in it was held against everything else. */
export async function readJournal(folder: string): Promise<MergeJournal | null> {
  const text = await readSmallFile(join(folder, MERGE_NAME), 4 * MAX_MANIFEST_BYTES);
  return text === null ? null : parseJournal(text);
}

function parseJournal(text: string): MergeJournal {
  const { key, below, above, ...texts } = parseText(text);
  const oldAbove = parseManifest(texts.oldAbove, MERGE_NAME, above);
  const newAbove = parseManifest(texts.newAbove, MERGE_NAME, above);
  const newBelow = texts.newBelow === null ? null : parseManifest(texts.newBelow, MERGE_NAME, below);
  const before = oldAbove.disks.find((disk) => disk.key === key);
  const after = newAbove.disks.find((disk) => disk.key === key);
  if (before === undefined || after === undefined) throw damaged(`no disk ${key} in its manifests`);
  if (before.base?.run !== below) throw damaged(`run ${above} does not build on run ${below}`);
  if (after.sizeBytes !== before.sizeBytes) throw damaged(`run ${above} has two sizes`);
  if (newBelow?.disks.some((disk) => disk.key === key)) throw damaged(`run ${below} keeps the disk ${key}`);
  return { key, below, above, before, after, newAbove, newBelow };
}

function parseText(text: string): JournalText {
  try {
    const checked = journalSchema.safeParse(JSON.parse(text));
    if (checked.success) return checked.data;
  } catch {
    // Said below.
  }
  throw damaged('how far the interrupted merge came cannot be told; its files are as qemu-img shows them');
}

function damaged(what: string): CbtError {
  return new CbtError('ERR_CBT_CORRUPT_IMAGE', `${MERGE_NAME} is damaged: ${what}`, {
    details: { file: MERGE_NAME },
  });
}
