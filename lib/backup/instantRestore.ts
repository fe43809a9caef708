/**
 * Instant restore: a VM starts at once from an overlay over a run’s own files, which are only read; what it needs comes in by itself, and the
 * rest is filled in by its QEMU while it runs. The folder is held until then, so that no prune takes away what is below.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CbtError, invalidArgument } from '../core/errors.js';
import { qemuImg } from '../host/imageTool.js';
import { writeWholeFile } from '../linux/wholeFile.js';
import { onFile } from './fileFault.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStackFiles, placeOf } from './layerFiles.js';
import { openForReading, type Selection, selectRun, selectStack } from './reading.js';

/** Which disks, and where their overlays go: one file (`to`), or a folder. */
export interface InstantRestoreOptions extends Selection {
  /** Folder of the backup. */
  from: string;
  /** A new file, of one disk. */
  to?: string | undefined;
  /** A folder, for all disks of the run; made when it is not there. */
  toFolder?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** An overlay that a VM can start from. */
export interface InstantDisk {
  disk: string;
  image: string;
  sizeBytes: number;
  /** The file of the backup that it stands on. */
  backing: string;
}

/** What stands over the run. */
export interface InstantRun {
  run: number;
  pit: string;
  disks: InstantDisk[];
}

/**
 * Makes the overlays, does the work (which waits until they are filled, or given up), and lets go of the folder. Where making one fails none is
 * left. Throws `ERR_CBT_INVALID_ARGUMENT` where a file is there already, `ERR_CBT_CORRUPT_IMAGE` for a damaged header.
 */
export async function instantRestore<T>(
  options: InstantRestoreOptions,
  work: (made: InstantRun) => Promise<T>,
): Promise<T> {
  await using opened = await openForReading(options.from);
  const { folder } = opened;
  const stacks = stacksOf(folder, options);
  const { run, pit } = topOf(stacks[0] ?? []).run;
  const disks: InstantDisk[] = [];
  try {
    for (const layers of stacks) disks.push(await overlay(folder, layers, options));
  } catch (error) {
    for (const { image } of disks) await rm(image, { force: true });
    throw error;
  }
  return await work({ run, pit, disks });
}

function stacksOf(folder: BackupFolder, { pit, disk, to }: InstantRestoreOptions): Layer[][] {
  if (to !== undefined || disk !== undefined) return [selectStack(folder, { pit, disk })];
  const run = selectRun(folder, pit);
  return run.disks.map((one) => folder.stack(run, one));
}

async function overlay(
  folder: BackupFolder,
  layers: readonly Layer[],
  { to, toFolder, signal }: InstantRestoreOptions,
): Promise<InstantDisk> {
  const { disk, key, sizeBytes, file } = topOf(layers).disk;
  for (const layer of layers) {
    const { settled } = await placeOf(folder, layer);
    // Its QEMU would read the files as they are, of which one is half of two.
    if (!settled)
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `${folder.path} was left in the middle of a prune: let the next backup or prune end it first`,
        {
          disk,
          reason: 'BUSY',
        },
      );
  }
  await checkStackFiles(folder, layers, signal);
  if (to === undefined && toFolder === undefined)
    throw invalidArgument('to', 'missing', 'a new file, or a folder');
  const place = toFolder === undefined ? null : resolve(toFolder);
  if (place !== null) await onFile(place, 'making', () => mkdir(place, { recursive: true, mode: 0o750 }));
  const image = place === null ? resolve(to ?? '') : join(place, `${key}.qcow2`);
  const backing = folder.file(file);
  await writeWholeFile(
    image,
    async (_, unfinished) => {
      const made = [
        'create',
        '-q',
        '-u',
        '-f',
        'qcow2',
        '-F',
        'qcow2',
        '-b',
        backing,
        unfinished,
        String(sizeBytes),
      ];
      await qemuImg(made, { signal });
    },
    { existing: 'refuse', mode: 0o640, keep: folder.names.map((name) => folder.file(name)) },
  );
  return { disk, image, sizeBytes, backing };
}

function topOf(layers: readonly Layer[]): Layer {
  const top = layers.at(-1);
  if (top === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'a stack without a layer');
  return top;
}
