/**
 * Instant restore: a VM starts at once from an overlay over a run’s own files, which are only read; what it needs comes in by itself, and the
 * rest is filled in by its QEMU while it runs. The folder is held until then, so that no prune takes away what is below.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CbtError, invalidArgument } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';
import { qemuImg } from '../host/imageTool.js';
import { writeWholeFile } from '../linux/wholeFile.js';
import { onFile } from './fileFault.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStackFiles, placeOf } from './layerFiles.js';
import { requireLayerFile } from './layerHeader.js';
import { openForReading, type Selection, selectRun, selectStack, type Unheld } from './reading.js';

/** Which disks, and where their overlays go: one file (`to`), or a folder. */
export interface InstantRestoreOptions extends Selection {
  /** Folder of the backup. */
  from: string;
  /** A new file, of one disk. */
  to?: string | undefined;
  /** A folder, for all disks of the run; made when it is not there. */
  toFolder?: string | undefined;
  /** Whether an overlay that is there, and stands on this very file, is gone on with; else it is refused as any file is. */
  resume?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Told where nothing keeps prunes out of the folder; such a one is refused unless given. */
  onUnheld?: Unheld | undefined;
}

/** An overlay that a VM can start from. */
export interface InstantDisk {
  disk: DiskName;
  image: string;
  sizeBytes: number;
  /** The file of the backup that it stands on. */
  backing: string;
}

/** What stands over the run. */
export interface InstantRun {
  run: number;
  pit: PointId;
  disks: InstantDisk[];
}

/**
 * Makes the overlays, does the work (which waits until they are filled, or given up), and lets go of the folder. Where making one fails none is
 * left. Throws `ERR_CBT_INVALID_ARGUMENT` where a file is there already, `ERR_CBT_CORRUPT_IMAGE` for a damaged header, `ERR_CBT_UNSUPPORTED`
 * where the folder cannot be locked.
 */
export async function instantRestore<T>(
  options: InstantRestoreOptions,
  work: (made: InstantRun) => Promise<T>,
): Promise<T> {
  await using opened = await openForReading(options.from, options.onUnheld ?? refuseUnheld);
  const { folder } = opened;
  const stacks = stacksOf(folder, options);
  const { run, pit } = topOf(stacks[0] ?? []).run;
  const disks: InstantDisk[] = [];
  const made: string[] = [];
  try {
    for (const layers of stacks) {
      const { isNew, ...disk } = await overlay(folder, layers, options);
      disks.push(disk);
      if (isNew) made.push(disk.image);
    }
  } catch (error) {
    for (const image of made) await rm(image, { force: true });
    throw error;
  }
  return await work({ run, pit, disks });
}

/** A guest's writes would be lost with what is below them. */
function refuseUnheld(folder: string): never {
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${folder} cannot be locked (read-only, full, not ours to write to, or without locks), so nothing keeps a prune from taking away what an overlay would stand on: restore without --instant`,
    { details: { path: folder } },
  );
}

function stacksOf(folder: BackupFolder, { at, disk, to }: InstantRestoreOptions): Layer[][] {
  if (to !== undefined || disk !== undefined) return [selectStack(folder, { at, disk })];
  const run = selectRun(folder, at);
  return run.disks.map((one) => folder.stack(run, one));
}

async function overlay(
  folder: BackupFolder,
  layers: readonly Layer[],
  { to, toFolder, resume = false, signal }: InstantRestoreOptions,
): Promise<InstantDisk & { isNew: boolean }> {
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
  const all = { disk, image, sizeBytes, backing };
  if (resume && (await standsOn(image, sizeBytes, backing))) return { ...all, isNew: false };
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
  return { ...all, isNew: true };
}

/** By its header; what cannot be read as one of ours is somebody's file. */
async function standsOn(image: string, sizeBytes: number, base: string): Promise<boolean> {
  return requireLayerFile(image, { sizeBytes, base }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CbtError && error.code !== 'ERR_CBT_INTERNAL') return false;
      throw error;
    },
  );
}

function topOf(layers: readonly Layer[]): Layer {
  const top = layers.at(-1);
  if (top === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'a stack without a layer');
  return top;
}
