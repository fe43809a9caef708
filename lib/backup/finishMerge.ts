/**
 * Brings a merge that was begun to its end, however far it came: every step may be done twice, and one that failed for want of
 * room or permission is done again by the next who writes to the folder.
 */
import { constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { DiskPiece } from '../core/diskData.js';
import { openData } from '../host/data.js';
import { qemuImg } from '../host/imageTool.js';
import { removeFile, replaceFile, syncFile, syncFolder } from './durable.js';
import { isMissing, onFile } from './fileFault.js';
import { LayerData, type LayerFile } from './layerData.js';
import { requireLayerFile } from './layerHeader.js';
import { type DiskRun, formatManifest, type Manifest } from './manifest.js';
import { MERGE_NAME, type MergeJournal, readJournal } from './mergeJournal.js';
import { layerName, manifestName, PART, sumsName } from './names.js';
import { readSums } from './sums.js';
import { verifiedEntries } from './verifiedEntries.js';

/** Nothing to do where no merge was begun. The caller keeps writers and readers out of the folder. */
export async function finishMerge(folder: string): Promise<void> {
  const journal = await readJournal(folder);
  if (journal === null) return;
  const { key, below, above, before, after, newAbove, newBelow } = journal;
  const lower = join(folder, layerName(key, below));
  if (await exists(lower)) {
    await copyUp(folder, lower, journal);
    await onFile(lower, 'renaming', () => rename(lower, join(folder, before.file)));
    await syncFolder(folder);
  }
  const sums = join(folder, after.sums.file);
  if (await exists(sums + PART)) await onFile(sums, 'renaming', () => rename(sums + PART, sums));
  await replaceFile(join(folder, manifestName(above)), await withFileSize(folder, newAbove, after));
  const belowManifest = join(folder, manifestName(below));
  if (newBelow === null) await removeFile(belowManifest);
  else await replaceFile(belowManifest, formatManifest(newBelow));
  await removeFile(join(folder, sumsName(key, below)));
  await syncFolder(folder);
  await removeFile(join(folder, MERGE_NAME));
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
  { key, below, before, after }: MergeJournal,
): Promise<void> {
  const upper: LayerFile = {
    path: join(folder, before.file),
    expected: { sizeBytes: before.sizeBytes, base: layerName(key, below) },
  };
  const base = after.base === null ? null : layerName(key, after.base.run);
  await using source = await LayerData.open([upper]);
  // Its size is its own run's until it has been given the other's.
  const { sizeBytes } = await requireLayerFile(lower, { sizeBytes: null, base });
  await makeOwn(lower);
  if (sizeBytes !== before.sizeBytes) await resizeLayer(lower, before.sizeBytes);
  const target = await openData({
    kind: 'qemu-nbd',
    file: lower,
    format: 'qcow2',
    readOnly: false,
    withoutBacking: true,
  });
  const pieces = async function* (): AsyncGenerator<DiskPiece, void, undefined> {
    const sums = join(folder, before.sums.file);
    for await (const entries of readSums(sums, before.sizeBytes, before.sums)) {
      for (const { offset, length, sha256 } of entries)
        if (sha256 === null) await target.zero(Float64Array.of(offset, length));
      const stored = entries.filter(({ sha256 }) => sha256 !== null);
      yield* verifiedEntries(source, stored, undefined);
    }
  };
  try {
    await target.writeStream(pieces(), { queueBytes: QUEUE_BYTES });
    await target.flush();
  } catch (error) {
    await target.close().catch(() => undefined);
    throw error;
  }
  await target.close();
  await syncFile(lower);
}

/** On their way to the file. */
const QUEUE_BYTES = 8 << 20;

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
