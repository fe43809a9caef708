/**
 * Takes one layer out of a stack: the layer above is written into it, and it then takes that one's place.
 *
 *   before   full-1 ← inc-2 ← inc-3          forget run 2
 *   copying  full-1 ← inc-2* ← inc-3         inc-3 covers all that is being written: it reads the same at every moment
 *   after    full-1 ← inc-3 (the file that was inc-2)
 *
 * Both layers are checked before the journal is written; from then on the merge is only ever brought to its end
 * (`finishMerge.ts`), by whoever writes to the folder next.
 */
import { checkImageFile } from '../host/imageCheck.js';
import { removeFile, replaceFile } from './durable.js';
import { finishMerge } from './finishMerge.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStack, openLayer } from './layerFiles.js';
import { type DiskRun, formatManifest, type Manifest } from './manifest.js';
import { type JournalText, MERGE_NAME, readJournal } from './mergeJournal.js';
import { requireMergeRoom } from './mergeRoom.js';
import { coveringGrowth, mergeSums } from './mergeSums.js';
import { PART } from './names.js';
import { readSums, type SumsEntry, SumsWriter } from './sums.js';
import { requireSum, verifiedEntries } from './verifiedEntries.js';

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
  await checkStack(folder, folder.stack(above.run, above.disk), options.signal);
  // Counts that are too low would have QEMU write over clusters in use.
  await checkImageFile(folder.file(below.disk.file), options.signal);
  const merged = await prepareMerge(folder, below, above, options);
  const newDisk: DiskRun = {
    ...above.disk,
    ...verdictOf(below, above),
    // Told when the file is whole.
    fileBytes: undefined,
    ...merged,
  };
  const replaced = (disk: DiskRun): DiskRun => (disk.key === newDisk.key ? newDisk : disk);
  const journal: JournalText = {
    key: newDisk.key,
    below: below.run.run,
    above: above.run.run,
    oldAbove: formatManifest(above.run),
    newAbove: formatManifest({ ...above.run, disks: above.run.disks.map(replaced) }),
    newBelow: withoutDisk(below.run, newDisk.key),
  };
  try {
    // From here on there is no way back, only forward.
    await replaceFile(folder.file(MERGE_NAME), `${JSON.stringify(journal)}\n`);
  } catch (error) {
    // It may be there all the same, and then it needs them.
    if ((await readJournal(folder.path)) === null) await removeFile(folder.file(above.disk.sums.file + PART));
    throw error;
  }
  await finishMerge(folder.path);
}

/**
 * What is said of the merged layer. It is the upper run's backup, which built on the other and lost nothing: that the lower one was full, and
 * why, went with the run that it was said of.
 */
function verdictOf(
  { run, disk: below }: Layer,
  { disk: above }: Layer,
): Pick<DiskRun, 'verdict' | 'reason' | 'message' | 'base'> {
  const { verdict, base } = below;
  if (verdict === 'incremental') return { verdict, reason: above.reason, message: above.message, base };
  const message = `incremental when it was made; a prune merged the full run ${run.run} into it`;
  return { verdict, reason: null, message, base };
}

/** All that may fail for want of room is done or looked at before the merge is recorded; refused, nothing of it stays. */
async function prepareMerge(
  folder: BackupFolder,
  below: Layer,
  above: Layer,
  options: MergeOptions,
): Promise<Awaited<ReturnType<typeof writeMergedSums>>> {
  try {
    const merged = await writeMergedSums(folder, below, above, options);
    await requireMergeRoom(folder, below.disk, above.disk, merged);
    return merged;
  } catch (error) {
    await removeFile(folder.file(above.disk.sums.file + PART));
    throw error;
  }
}

/** The manifest's text without a disk; null when none is left. */
function withoutDisk(run: Manifest, key: string): string | null {
  const disks = run.disks.filter((disk) => disk.key !== key);
  return disks.length === 0 ? null : formatManifest({ ...run, disks });
}

/** Checks all of the upper layer, and of the lower one what is summed up anew; writes the sums of both together. */
async function writeMergedSums(
  folder: BackupFolder,
  lowerLayer: Layer,
  upperLayer: Layer,
  { signal, onBytes }: MergeOptions,
): Promise<Pick<DiskRun, 'sums' | 'changedBytes' | 'storedBytes' | 'zeroBytes'>> {
  const below = lowerLayer.disk;
  const above = upperLayer.disk;
  await using lower = await openLayer(folder, lowerLayer);
  await using upper = await openLayer(folder, upperLayer);
  const upperSums = (): AsyncGenerator<SumsEntry[]> =>
    readSums(folder.file(above.sums.file), above.sizeBytes, above.sums);
  for await (const entries of upperSums()) {
    for await (const { data } of verifiedEntries(upper, withData(entries), signal)) onBytes?.(data.length);
  }
  const read = async (entry: SumsEntry): Promise<Buffer> => {
    const data = Buffer.allocUnsafe(entry.length);
    await lower.read(data, entry.offset, signal);
    requireSum(lower.path, entry, data);
    return data;
  };
  const file = above.sums.file;
  await removeFile(folder.file(file + PART));
  const writer = await SumsWriter.create(folder.file(file + PART), above.sizeBytes);
  let storedBytes = 0;
  let zeroBytes = 0;
  try {
    const merged = mergeSums(
      readSums(folder.file(below.sums.file), below.sizeBytes, below.sums),
      coveringGrowth(upperSums(), { from: below.sizeBytes, until: above.sizeBytes, path: folder.file(file) }),
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
