/**
 * Disks of a run to look into, read-only: as NBD exports or as raw files. The folder is held meanwhile, so that no prune takes away what is shown.
 * Headers are checked before; of the data only what `verify` says: a client reads here and there, and sums are of whole pieces.
 */
import { CbtError } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';
import { type ServedAt, withServedStacks } from '../host/servedStacks.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStackFiles, placeOf } from './layerFiles.js';
import { findPartitions, type Partition } from './partitions.js';
import { openForReading, type Selection, selectRun, selectStack, type Unheld } from './reading.js';
import { RunReader } from './runReader.js';

/** Which disks; all of the run where none is named. */
export interface ShowRunOptions extends Selection {
  /** Folder of the backup. */
  from: string;
  /** Fires when it has been looked at long enough. */
  signal: AbortSignal;
  onUnheld?: Unheld | undefined;
}

/** A disk that is shown. */
export interface ShownDisk {
  disk: DiskName;
  /** Its name in the folder’s files, and that of its export. */
  key: string;
  sizeBytes: number;
  partitions: Partition[];
}

/** A run that is shown. */
export interface ShownRun {
  run: number;
  pit: PointId;
  disks: ShownDisk[];
}

/**
 * Shows the disks, does the work (which waits for whoever looks), and takes everything away. `ended` rejects where QEMU goes before. Throws
 * `ERR_CBT_CORRUPT_IMAGE` for a damaged header.
 */
export async function showRun<T>(
  options: ShowRunOptions,
  /** Where the disks are shown; what it makes is its own to take away. */
  at: (disks: readonly ShownDisk[]) => Promise<ServedAt>,
  work: (shown: ShownRun, ended: Promise<never>) => Promise<T>,
): Promise<T> {
  await using opened = await openForReading(options.from, options.onUnheld);
  const { folder } = opened;
  const stacks = stacksOf(folder, options);
  const disks: ShownDisk[] = [];
  const served: { name: string; files: string[] }[] = [];
  for (const layers of stacks) {
    await checkStackFiles(folder, layers, options.signal);
    const { disk, key, sizeBytes } = topOf(layers).disk;
    await using reader = await RunReader.open(folder, layers);
    const partitions = await findPartitions((offset, length) => reader.read(offset, length), sizeBytes);
    disks.push({ disk, key, sizeBytes, partitions });
    const files: string[] = [];
    for (const layer of layers) files.push(...(await placeOf(folder, layer)).files.map(({ path }) => path));
    served.push({ name: key, files });
  }
  const { run, pit } = topOf(stacks[0] ?? []).run;
  const place = await at(disks);
  return await withServedStacks(served, place, options.signal, (ended) => work({ run, pit, disks }, ended));
}

function stacksOf(folder: BackupFolder, { at, disk }: ShowRunOptions): Layer[][] {
  if (disk !== undefined) return [selectStack(folder, { at, disk })];
  const run = selectRun(folder, at);
  return run.disks.map((one) => folder.stack(run, one));
}

function topOf(layers: readonly Layer[]): Layer {
  const top = layers.at(-1);
  if (top === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'a stack without a layer');
  return top;
}
