/**
 * Takes one layer out of a chain: the layer above is written into it, and it then takes that one's place.
 *
 *   before   full-1 ← inc-2 ← inc-3          forget run 2
 *   copying  full-1 ← inc-2* ← inc-3         inc-3 covers all that is being written: it reads the same at every moment
 *   after    full-1 ← inc-3 (the file that was inc-2)
 *
 * Both layers are checked before the journal is written; from then on the merge is only ever brought to its end, by
 * whoever writes to the folder next. Every step may be done twice.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { DiskPiece } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';
import { openData } from '../data.js';
import { checkImageFile } from '../imageCheck.js';
import { qemuImg } from '../imageTool.js';
import { readSmallFile, removeFile, replaceFile, syncFile, syncFolder } from './durable.js';
import { isMissing, onFile } from './fileFault.js';
import type { BackupFolder, Layer } from './folder.js';
import { requireLayerFile } from './layerHeader.js';
import { checkChain, openLayer } from './layerReader.js';
import {
  type DiskRun,
  formatManifest,
  MAX_MANIFEST_BYTES,
  type Manifest,
  parseManifest,
} from './manifest.js';
import { mergeSums } from './mergeSums.js';
import { layerName, manifestName, PART, sumsName } from './names.js';
import { readSums, type SumsEntry, SumsWriter } from './sums.js';
import { verifiedEntries } from './verifiedEntries.js';

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
type Journal = z.infer<typeof journalSchema>;

export interface MergeOptions {
  signal?: AbortSignal | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Merges the only layer that builds on `below` into it. The caller has the folder's lock. */
export async function mergeLayers(
  folder: BackupFolder,
  below: Layer,
  above: Layer,
  options: MergeOptions = {},
): Promise<void> {
  await checkChain(folder, folder.chain(above.run, above.disk), options.signal);
  // Counts that are too low would have QEMU write over clusters in use.
  await checkImageFile(folder.file(below.disk.file), options.signal);
  const merged = await writeMergedSums(folder, below.disk, above.disk, options);
  const newDisk: DiskRun = {
    ...above.disk,
    verdict: below.disk.verdict,
    reason: below.disk.reason,
    message: below.disk.message,
    base: below.disk.base,
    // Told when the file is whole.
    fileBytes: undefined,
    ...merged,
  };
  const replaced = (disk: DiskRun): DiskRun => (disk.key === newDisk.key ? newDisk : disk);
  const journal: Journal = {
    key: newDisk.key,
    below: below.run.run,
    above: above.run.run,
    oldAbove: formatManifest(above.run),
    newAbove: formatManifest({ ...above.run, disks: above.run.disks.map(replaced) }),
    newBelow: withoutDisk(below.run, newDisk.key),
  };
  // From here on there is no way back, only forward.
  await replaceFile(folder.file(MERGE_NAME), `${JSON.stringify(journal)}\n`);
  await finishMerge(folder.path);
}

/** The manifest's text without a disk; null when none is left. */
export function withoutDisk(run: Manifest, key: string): string | null {
  const disks = run.disks.filter((disk) => disk.key !== key);
  return disks.length === 0 ? null : formatManifest({ ...run, disks });
}

/** Brings a merge that was begun to its end; nothing to do where there is none. */
export async function finishMerge(folder: string): Promise<void> {
  const path = join(folder, MERGE_NAME);
  const text = await readSmallFile(path, 4 * MAX_MANIFEST_BYTES);
  if (text === null) return;
  const journal = parseJournal(text);
  const { key, below, above } = journal;
  const oldAbove = parseManifest(journal.oldAbove, MERGE_NAME, above);
  const newAbove = parseManifest(journal.newAbove, MERGE_NAME, above);
  if (journal.newBelow !== null) parseManifest(journal.newBelow, MERGE_NAME, below);
  const before = oldAbove.disks.find((disk) => disk.key === key);
  const after = newAbove.disks.find((disk) => disk.key === key);
  if (before === undefined || after === undefined)
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${MERGE_NAME} is damaged: no disk ${key} in its manifests`);
  if (before.base?.run !== below || after.file !== before.file)
    throw new CbtError(
      'ERR_CBT_CORRUPT_IMAGE',
      `${MERGE_NAME} is damaged: run ${above} does not build on run ${below}`,
    );
  const lower = join(folder, layerName(key, below));
  if (await exists(lower)) {
    const base = after.base === null ? null : layerName(key, after.base.run);
    await copyUp(folder, lower, before, { base, below: layerName(key, below) });
    await onFile(lower, 'renaming', () => rename(lower, join(folder, before.file)));
    await syncFolder(folder);
  }
  const sums = join(folder, after.sums.file);
  if (await exists(sums + PART)) await onFile(sums, 'renaming', () => rename(sums + PART, sums));
  await replaceFile(join(folder, manifestName(above)), await withFileSize(folder, newAbove, after));
  const belowManifest = join(folder, manifestName(below));
  if (journal.newBelow === null) await removeFile(belowManifest);
  else await replaceFile(belowManifest, journal.newBelow);
  await removeFile(join(folder, sumsName(key, below)));
  await syncFolder(folder);
  await removeFile(path);
  await syncFolder(folder);
}

/** The manifest, with the size that the merged file has. */
async function withFileSize(folder: string, manifest: Manifest, merged: DiskRun): Promise<string> {
  const path = join(folder, merged.file);
  const { size } = await onFile(path, 'looking', () => lstat(path));
  const disks = manifest.disks.map((disk) => (disk === merged ? { ...disk, fileBytes: size } : disk));
  return formatManifest({ ...manifest, disks });
}

/** Writes everything that the upper layer holds into the lower one, which then reads as the upper one does. */
async function copyUp(
  folder: string,
  lower: string,
  above: DiskRun,
  names: { base: string | null; below: string },
): Promise<void> {
  const upper = join(folder, above.file);
  const sums = join(folder, above.sums.file);
  await requireLayerFile(upper, { sizeBytes: above.sizeBytes, base: names.below });
  // Its size is its own run's until it has been given the other's.
  const { sizeBytes } = await requireLayerFile(lower, { sizeBytes: null, base: names.base });
  await makeOwn(lower);
  if (sizeBytes !== above.sizeBytes) await resizeLayer(lower, above.sizeBytes);
  await using source = await openLayer(upper);
  const target = await openData({
    kind: 'qemu-nbd',
    file: lower,
    format: 'qcow2',
    readOnly: false,
    withoutBacking: true,
  });
  const pieces = async function* (): AsyncGenerator<DiskPiece, void, undefined> {
    for await (const entries of readSums(sums, above.sizeBytes)) {
      for (const { offset, length, sha256 } of entries)
        if (sha256 === null) await target.zero(Float64Array.of(offset, length));
      yield* verifiedEntries(source, upper, withData(entries), undefined);
    }
  };
  try {
    await target.writeStream(pieces());
    await target.flush();
  } catch (error) {
    await target.close().catch(() => undefined);
    throw error;
  }
  await target.close();
  await syncFile(lower);
}

/** Checks all of the upper layer, and of the lower one what is summed up anew; writes the sums of both together. */
async function writeMergedSums(
  folder: BackupFolder,
  below: DiskRun,
  above: DiskRun,
  { signal, onBytes }: MergeOptions,
): Promise<Pick<DiskRun, 'sums' | 'changedBytes' | 'storedBytes' | 'zeroBytes'>> {
  const lowerPath = folder.file(below.file);
  const upperPath = folder.file(above.file);
  await using lower = await openLayer(lowerPath, signal);
  await using upper = await openLayer(upperPath, signal);
  for await (const entries of readSums(folder.file(above.sums.file), above.sizeBytes)) {
    for await (const { data } of verifiedEntries(upper, upperPath, withData(entries), signal))
      onBytes?.(data.length);
  }
  const read = async (entry: SumsEntry): Promise<Buffer> => {
    const data = await lower.read(entry.offset, entry.length, signal === undefined ? {} : { signal });
    if (createHash('sha256').update(data).digest('hex') === entry.sha256) return data;
    throw new CbtError(
      'ERR_CBT_CORRUPT_IMAGE',
      `${lowerPath} is damaged: bytes ${entry.offset}+${entry.length} are not what was written`,
      { details: { path: lowerPath, offset: entry.offset, length: entry.length } },
    );
  };
  const file = above.sums.file;
  await removeFile(folder.file(file + PART));
  const writer = await SumsWriter.create(folder.file(file + PART), above.sizeBytes);
  let storedBytes = 0;
  let zeroBytes = 0;
  try {
    const merged = mergeSums(
      readSums(folder.file(below.sums.file), below.sizeBytes),
      readSums(folder.file(above.sums.file), above.sizeBytes),
      above.sizeBytes,
      read,
    );
    for await (const entry of merged) {
      if (entry.sha256 !== null) storedBytes += entry.length;
      else zeroBytes += entry.length;
      await writer.add(entry);
    }
    const summed = await writer.finish();
    return {
      sums: { file, ...summed },
      changedBytes: below.changedBytes + above.changedBytes,
      storedBytes,
      zeroBytes,
    };
  } finally {
    await writer.close();
  }
}

function withData(entries: readonly SumsEntry[]): SumsEntry[] {
  return entries.filter(({ sha256 }) => sha256 !== null);
}

function parseJournal(text: string): Journal {
  try {
    const checked = journalSchema.safeParse(JSON.parse(text));
    if (checked.success) return checked.data;
  } catch {
    // Said below.
  }
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${MERGE_NAME} is damaged: how far the interrupted merge came cannot be told; its files are as qemu-img shows them`,
    { details: { file: MERGE_NAME } },
  );
}

/**
 * Gives the folder a file of its own where another name (a copy made of hard links) leads to the same one: that must go on
 * reading as it did.
 */
async function makeOwn(path: string): Promise<void> {
  const { nlink, mode, uid, gid } = await onFile(path, 'looking', () => lstat(path));
  if (nlink === 1) return;
  const copy = path + PART;
  await removeFile(copy);
  await onFile(path, 'copying', async () => {
    await copyFile(path, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    // Whose it was, where we may: who owns the folder goes on writing to it.
    await chown(copy, uid, gid).catch(() => undefined);
    await chmod(copy, mode & 0o7777);
  });
  await syncFile(copy);
  await onFile(path, 'renaming', () => rename(copy, path));
  await syncFolder(dirname(path));
}

/** By itself: what lies below is not opened. */
async function resizeLayer(path: string, sizeBytes: number): Promise<void> {
  const node = { driver: 'qcow2', backing: null, file: { driver: 'file', filename: resolve(path) } };
  await qemuImg(['resize', '-q', '--shrink', `json:${JSON.stringify(node)}`, String(sizeBytes)]);
}

async function exists(path: string): Promise<boolean> {
  return onFile(path, 'looking', () =>
    lstat(path).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    ),
  );
}
