/**
 * Images that no VM uses as a backup source, each by itself: one that cannot be opened or tracked spoils no other. The point
 * in time is taken in the images themselves; that nobody wrote since is checked after reading, so that what was copied is
 * that instant.
 */

import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { type Checks, checkOptions, flag, names, oneOf } from '../core/options.js';
import type { BeginOutcome } from '../core/tracking.js';
import { ImageTracking } from '../host/imageTracking.js';
import { type OpenDiskOptions, openDisk } from '../host/open.js';
import { imagePath, lookAt } from './diskIdentity.js';
import { type Image, ImageDisk } from './imageDisk.js';
import type { BackupSource, FailedDisk, SourceSession } from './source.js';

/** How the images are opened. */
export interface ImagesSourceOptions {
  /** Format of the images; told from each file unless given, and then nothing that it names is opened. */
  format?: OpenDiskOptions['format'];
  /** Whether formats that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
}

const IMAGES_SOURCE: Checks<ImagesSourceOptions> = {
  format: oneOf('qcow2', 'raw', 'parallels'),
  trust: flag,
};

/** Images that no VM uses, as one source: qcow2 with points in time, any other in full. A path given twice is `ERR_CBT_INVALID_ARGUMENT`. */
export function imagesSource(paths: readonly string[], options: ImagesSourceOptions = {}): BackupSource {
  names(paths, 'images');
  checkOptions('imagesSource', options, IMAGES_SOURCE);
  const images = paths.map((path) => resolve(path));
  if (new Set(images).size !== images.length)
    throw invalidArgument('images', images.join(', '), 'every image once');
  const open = (path: string, signal: AbortSignal | undefined) => openDisk(path, { ...options, signal });
  return {
    leavesPoint: true,
    async facts(signal) {
      const { own } = await byFile(images);
      const disks = [];
      for (const path of own)
        disks.push(await lookAt(path, await imagePath(path), () => open(path, signal), signal));
      return { kind: 'images', name: null, uuid: null, disks, others: [] };
    },
    openDisk: open,
    begin: (pit, signal, { onlyLook = false } = {}) => begin(images, { ...options, onlyLook }, pit, signal),
    forget: (path, point, signal) => takeOff(path, point, options, signal),
  };
}

/** The images, each once: two names of one file are one. */
async function byFile(paths: readonly string[]): Promise<{ own: string[]; warnings: string[] }> {
  const files = new Map<string, string>();
  const warnings: string[] = [];
  for (const path of paths) {
    const file = await stat(path, { bigint: true }).then(
      (found) => `${found.dev}:${found.ino}`,
      () => path,
    );
    const same = files.get(file);
    if (same === undefined) files.set(file, path);
    else warnings.push(`${path} is the file ${same} under another name: it is backed up once`);
  }
  return { own: [...files.values()], warnings };
}

/** The newest point is rolled back: what changed since belongs to the one before. An older one is merged with it. */
async function takeOff(
  path: string,
  point: string,
  options: ImagesSourceOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const tracking = trackingOf([path], options);
  const newest = await openDisk(path, { ...options, signal }).then(async (disk) => {
    await using closed = disk;
    return (await closed.pits({ signal })).pits.at(-1);
  });
  const { disks } =
    newest?.uuid === point
      ? await tracking.rollback(point, { signal })
      : await tracking.forget(point, { signal });
  const error = disks.find((disk) => disk.error !== undefined)?.error;
  if (error !== undefined) throw error;
}

async function begin(
  paths: readonly string[],
  options: ImagesSourceOptions & { onlyLook: boolean },
  pit: string,
  signal: AbortSignal | undefined,
): Promise<SourceSession> {
  const { own, warnings } = await byFile(paths);
  const images: Image[] = [];
  const failed: FailedDisk[] = [];
  for (const path of own) {
    try {
      images.push(await look(path, options, signal));
    } catch (error) {
      failed.push({ disk: path, error: ofOneImage(path, error, signal) });
    }
  }
  const first = failed[0];
  if (images.length === 0 && first !== undefined) throw first.error;
  // Nobody writes to an image at rest, and that nobody did is seen without a point in time too.
  const tracked = images
    .filter((image) => image.untracked === null && !options.onlyLook)
    .map(({ path }) => path);
  const begun =
    tracked.length === 0
      ? { disks: [], warnings: [] }
      : await trackingOf(tracked, options).begin({ pit, signal });
  warnings.push(...begun.warnings);
  const disks: ImageDisk[] = [];
  for (const image of images) {
    try {
      const outcome = begun.disks.find(({ disk }) => disk === image.path);
      disks.push(await ImageDisk.of(withoutPoint(image, outcome), outcome, pit, options));
    } catch (error) {
      failed.push({ disk: image.path, error: ofOneImage(image.path, error, signal) });
    }
  }
  return sessionOf({ pit, disks, failed, warnings }, options);
}

/** An image that QEMU could not be brought to write to can still be read: a full copy needs no point in time. */
function withoutPoint(image: Image, outcome: BeginOutcome | undefined): Image {
  const error = outcome?.error;
  if (error === undefined) return image;
  if (error.reason === 'BUSY') throw error;
  return {
    ...image,
    untracked: { reason: error.reason ?? null, message: `no point in time could be taken: ${error.message}` },
  };
}

function ofOneImage(path: string, error: unknown, signal: AbortSignal | undefined): CbtError {
  throwIfAborted(signal);
  if (error instanceof CbtError && error.code !== 'ERR_CBT_INTERNAL') return error.about(path);
  // A file that vanished between two looks.
  if (error instanceof Error && 'syscall' in error)
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path}: ${error.message}`, { disk: path });
  throw error;
}

function sessionOf(
  begun: { pit: string; disks: ImageDisk[]; failed: FailedDisk[]; warnings: string[] },
  options: ImagesSourceOptions,
): SourceSession {
  const { pit, disks } = begun;
  const pointed = new Set(disks.filter((disk) => disk.hasPoint).map(({ disk }) => disk));
  /** Takes the point off the images; those on which it stays. */
  const takeBack = async (paths: readonly string[]): Promise<FailedDisk[]> => {
    if (paths.length === 0) return [];
    const outcome = await trackingOf(paths, options).rollback(pit);
    const stay = errorsOf(outcome.disks).filter(({ error }) => error.reason !== 'UNKNOWN_PIT');
    for (const path of paths) if (!stay.some(({ disk }) => disk === path)) pointed.delete(path);
    return stay;
  };
  return {
    ...begun,
    async check() {
      const wrong: FailedDisk[] = [];
      for (const disk of disks) {
        try {
          await disk.requireUntouched();
        } catch (error) {
          wrong.push({ disk: disk.disk, error: ofOneImage(disk.disk, error, undefined) });
        }
      }
      return wrong;
    },
    async commit(kept) {
      for (const disk of disks) await disk.close();
      const stay = await takeBack([...pointed].filter((path) => !kept.includes(path)));
      const wanted = [...pointed].filter((path) => kept.includes(path));
      if (wanted.length === 0) return stay;
      return [...stay, ...errorsOf((await trackingOf(wanted, options).commit(pit)).disks)];
    },
    async rollback() {
      for (const disk of disks) await disk.close();
      return takeBack([...pointed]);
    },
  };
}

/** Only qcow2 images are tracked: any other word about the format is not about them. */
function trackingOf(paths: readonly string[], { format, trust }: ImagesSourceOptions): ImageTracking {
  return new ImageTracking(paths, { format: format === 'qcow2' ? format : undefined, trust });
}

function errorsOf(disks: readonly { disk: string; error?: CbtError }[]): FailedDisk[] {
  return disks.flatMap(({ disk, error }) => (error === undefined ? [] : [{ disk, error }]));
}

async function look(
  path: string,
  options: ImagesSourceOptions,
  signal: AbortSignal | undefined,
): Promise<Image> {
  await using disk = await openDisk(path, { format: options.format, trust: options.trust, signal });
  const { sizeBytes, epoch } = await disk.pits({ signal });
  const { format, problem } = await disk.topLayer({ signal });
  const keeps = format === 'qcow2' && problem?.reason !== 'FORMAT';
  const message = `a ${format} image keeps no points in time: every backup is a full one`;
  return { path, format, sizeBytes, epoch, untracked: keeps ? null : { reason: 'FORMAT', message } };
}
