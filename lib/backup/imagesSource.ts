/**
 * Images that no VM uses as a backup source. The point in time is taken in the images themselves; that nobody wrote since
 * is checked after reading, so that what was copied is that instant.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CbtError, invalidArgument, trackingLost } from '../core/errors.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { BeginOutcome } from '../core/tracking.js';
import { openData } from '../data.js';
import { ImageTracking } from '../imageTracking.js';
import { type OpenDiskOptions, openDisk } from '../open.js';
import type { BackupSource, SourceDisk, SourceSession } from './source.js';

/** How the images are opened. */
export interface ImagesSourceOptions {
  /** Format of the images; told from each file unless given. */
  format?: OpenDiskOptions['format'];
}

interface Image {
  path: string;
  format: string;
  sizeBytes: number;
  /** Null for an image that can keep points in time. */
  untracked: { reason: string; message: string } | null;
}

/** Images that no VM uses, as one source: qcow2 with points in time, any other in full. A path given twice is `ERR_CBT_INVALID_ARGUMENT`. */
export function imagesSource(paths: readonly string[], options: ImagesSourceOptions = {}): BackupSource {
  const images = paths.map((path) => resolve(path));
  if (images.length === 0) throw invalidArgument('images', 'an empty list', 'at least one image');
  if (new Set(images).size !== images.length)
    throw invalidArgument('images', images.join(', '), 'every image once');
  return {
    facts: async () => ({ kind: 'images', name: null, uuid: null }),
    intent: (pit) => ({ pit, images }),
    begin: (pit, signal) => begin(images, options, pit, signal),
  };
}

/** Rolls a session of a process that died back, where its point is still the newest; says what could not be undone. */
export async function undoIntent(intent: { pit: string; images: readonly string[] }): Promise<string[]> {
  const warnings: string[] = [];
  for (const path of intent.images) {
    try {
      await using disk = await openDisk(path);
      const { pits } = await disk.pits();
      if (pits.at(-1)?.uuid !== intent.pit) continue;
      await disk.close();
      await new ImageTracking([path]).rollback(intent.pit);
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      warnings.push(`${path}: the point in time ${intent.pit} of an interrupted run stays: ${error.message}`);
    }
  }
  return warnings;
}

async function begin(
  paths: readonly string[],
  options: ImagesSourceOptions,
  pit: string,
  signal: AbortSignal | undefined,
): Promise<SourceSession> {
  const images: Image[] = [];
  const failed: { disk: string; error: CbtError }[] = [];
  for (const path of paths) {
    try {
      images.push(await look(path, options, signal));
    } catch (error) {
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
      failed.push({ disk: path, error: error.about(path) });
    }
  }
  const first = failed[0];
  if (images.length === 0 && first !== undefined) throw first.error;
  const tracked = images.filter((image) => image.untracked === null).map(({ path }) => path);
  const { disks: begun, warnings } =
    tracked.length === 0
      ? { disks: [], warnings: [] }
      : await new ImageTracking(tracked).begin({ pit, signal });
  const refused = begun.filter(({ error }) => error !== undefined);
  const kept = tracked.filter((path) => !refused.some(({ disk }) => disk === path));
  for (const { disk, error } of refused) if (error !== undefined) failed.push({ disk, error });
  const opened: TrackedDisk[] = [];
  const closeAll = async (): Promise<void> => {
    for (const disk of opened.splice(0)) await disk.close();
  };
  const stamps = new Map<string, string>();
  for (const { path, untracked } of images) if (untracked !== null) stamps.set(path, await stampOf(path));
  const disks = images
    .filter(({ path, untracked }) => untracked !== null || kept.includes(path))
    .map((image) =>
      diskOf(
        image,
        begun.find(({ disk }) => disk === image.path),
        pit,
        async (path, wanted) => {
          const disk = await openDisk(path, { format: options.format, signal: wanted });
          opened.push(disk);
          return disk;
        },
      ),
    );
  let ended = false;
  return {
    pit,
    disks,
    failed,
    warnings,
    async check() {
      for (const path of kept) await requireUntouched(path, pit, options);
      for (const [path, stamp] of stamps) {
        if ((await stampOf(path)) !== stamp)
          throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} was written to while it was read`, {
            disk: path,
            reason: 'BUSY',
          });
      }
    },
    async commit() {
      ended = true;
      await closeAll();
      if (kept.length === 0) return [];
      const outcome = await new ImageTracking(kept).commit(pit);
      return outcome.disks.flatMap(({ disk, error }) => (error === undefined ? [] : [{ disk, error }]));
    },
    async rollback() {
      await closeAll();
      if (ended || kept.length === 0) return;
      ended = true;
      await new ImageTracking(kept).rollback(pit);
    },
  };
}

async function look(
  path: string,
  { format: forced }: ImagesSourceOptions,
  signal: AbortSignal | undefined,
): Promise<Image> {
  await using disk = await openDisk(path, { format: forced, signal });
  const { sizeBytes } = await disk.pits({ signal });
  const { format, problem } = await disk.topLayer({ signal });
  const keeps = format === 'qcow2' && problem?.reason !== 'FORMAT';
  return {
    path,
    format,
    sizeBytes,
    untracked: keeps
      ? null
      : {
          reason: 'FORMAT',
          message: `a ${format} image keeps no points in time: every backup is a full one`,
        },
  };
}

function diskOf(
  image: Image,
  begun: BeginOutcome | undefined,
  pit: string,
  open: (path: string, signal: AbortSignal | undefined) => Promise<TrackedDisk>,
): SourceDisk {
  const { path, format, untracked } = image;
  const lost =
    untracked ??
    (begun?.verdict === 'full'
      ? {
          reason: begun.reason ?? null,
          message: begun.message ?? 'its earlier points in time cannot be used',
        }
      : null);
  return {
    disk: path,
    sizeBytes: begun?.sizeBytes ?? image.sizeBytes,
    epoch: begun?.epoch ?? null,
    changeId: begun?.changeId ?? null,
    lost,
    changes: async (from, selection) =>
      (await open(path, selection.signal)).changes({ ...selection, from, to: pit }),
    allocated: async (selection) => (await open(path, selection.signal)).allocated(selection),
    openData: (signal) =>
      openData({ kind: 'qemu-nbd', file: path, format }, { ...(signal === undefined ? {} : { signal }) }),
  };
}

/** Nothing was written since the point in time, and nobody is writing now. */
async function requireUntouched(path: string, pit: string, options: ImagesSourceOptions): Promise<void> {
  await using disk = await openDisk(path, { format: options.format });
  const newest = (await disk.pits()).pits.at(-1);
  const written =
    newest?.uuid === pit ? await (await disk.changes({ from: pit })).changedBytes() : Number.NaN;
  if (written === 0) return;
  throw trackingLost(
    'BUSY',
    newest?.uuid === pit
      ? `${path} was written to while it was read (${written} bytes)`
      : `${path} has another newest point in time than the one this backup took`,
    { disk: path },
  );
}

/** Tells any write by its size and times. */
async function stampOf(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join(' ');
}
