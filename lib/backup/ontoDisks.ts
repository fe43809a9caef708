/**
 * Which disk of a run an image is that is about to be overwritten. An image is its history; without one, the path that the run was taken
 * from. A name that somebody typed only chooses among disks: where the folder knows nothing of the image, or knows it as
 * another disk, it has to be said twice (`force`).
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CbtError, invalidArgument } from '../core/errors.js';
import type { DiskName, Epoch } from '../core/ids.js';
import { flag, oneOf, required, shape, someOf, text } from '../core/options.js';
import { openImageDisk } from '../host/openFile.js';
import { requireNoHolder } from '../host/unused.js';
import { fileIdentity } from '../linux/fileIdentity.js';
import { imagePath } from './diskIdentity.js';
import { onFile } from './fileFault.js';
import type { BackupFolder, Layer } from './folder.js';
import type { DiskRun, Manifest } from './manifest.js';
import { placeOfHistory } from './series.js';

/** An image that becomes a disk of the run. */
export interface OntoImage {
  /** Path of the image or block device. */
  image: string;
  /** The disk’s name in the run, or in the folder’s files; told by the image’s history or path unless given. */
  disk?: DiskName | undefined;
  /** What the disk is called, for where the folder does not know the image and `force` overwrites it all the same. */
  otherwise?: string | undefined;
  /** Format of the image; told from its bytes unless given. Bytes are a guess: what such a file names is not opened. */
  format?: 'qcow2' | 'raw' | undefined;
  /** Whether a format that only the bytes tell is believed, and what such a file names is opened. */
  trust?: boolean | undefined;
}

export const ONTO_IMAGES = someOf(
  shape<OntoImage>({
    image: required(text),
    disk: text,
    otherwise: text,
    format: oneOf('qcow2', 'raw'),
    trust: flag,
  }),
);

interface Choosing {
  folder: BackupFolder;
  run: Manifest;
  /** Whether an image is overwritten that the folder does not know. */
  force: boolean;
  signal: AbortSignal | undefined;
}

/** An image, and the disk that it becomes. */
export interface ChosenOnto {
  image: OntoImage;
  /** The disk at the run, the full layer first. */
  layers: Layer[];
  /** What was looked at: the file or device, and its history where it has one. A name may lead to another one by now. */
  seen: { identity: string | null; epoch: string | null };
}

/** The disk of the run that each image becomes; no disk twice. */
export async function ontoDisks(choosing: Choosing, images: readonly OntoImage[]): Promise<ChosenOnto[]> {
  const { folder, run } = choosing;
  if (images.length === 0) throw invalidArgument('onto', '', 'at least one image');
  const ofFolder = new Set<string | null>();
  for (const name of folder.names.filter((one) => one.endsWith('.qcow2')))
    ofFolder.add(await fileIdentity(folder.file(name)));
  const chosen: ChosenOnto[] = [];
  for (const image of images) {
    const found = await onFile(image.image, 'looking', () => stat(image.image));
    if (!found.isFile() && !found.isBlockDevice())
      throw invalidArgument('onto', image.image, 'a qcow2 or raw image file, or a block device');
    const identity = await fileIdentity(image.image);
    if (ofFolder.has(identity))
      throw invalidArgument('onto', image.image, `no file of the backup in ${folder.path}`);
    const { disk, epoch } = await ontoDisk(choosing, image);
    const same = chosen.find(({ layers }) => layers.at(-1)?.disk === disk);
    if (same !== undefined)
      throw invalidArgument(
        'onto',
        image.image,
        `another disk than ${same.image.image}, which becomes ${disk.disk}`,
      );
    chosen.push({ image, layers: folder.stack(run, disk), seen: { identity, epoch } });
  }
  return chosen;
}

async function ontoDisk(
  choosing: Choosing,
  asked: OntoImage,
): Promise<{ disk: DiskRun; epoch: string | null }> {
  const { folder, run, signal } = choosing;
  const { image, format, trust } = asked;
  // An image that a VM has says so here, before anything is said of what the folder knows.
  await requireNoHolder(image, 'write');
  await using opened = await openImageDisk(image, { format, trust, signal });
  const { epoch, past, sizeBytes } = await opened.topLayer({ signal });
  const known =
    byHistory(folder, run, epoch ?? past) ?? (epoch === null ? await byPath(run, image, sizeBytes) : null);
  return { disk: chosenDisk(choosing, asked, known), epoch };
}

function chosenDisk(
  { run, force }: Choosing,
  asked: OntoImage,
  known: { disk: DiskRun | null } | null,
): DiskRun {
  const { image, disk: name } = asked;
  if (name === undefined) {
    if (known?.disk != null) return known.disk;
    const guess = run.disks.find((one) => run.disks.length === 1 || one.disk === asked.otherwise);
    if (known === null && force && guess !== undefined) return guess;
    const why = known === null ? 'knows nothing of it' : 'knows it as a disk that is not in this run';
    const disks = run.disks.map(({ disk }) => disk).join(', ');
    throw invalidArgument(
      'onto',
      image,
      `the image of a disk of run ${run.run} (${disks}), and the folder ${why}: name the disk (--disk), and --force to overwrite it`,
    );
  }
  const named = run.disks.find(({ disk }) => disk === name) ?? run.disks.find(({ key }) => key === name);
  if (named === undefined)
    throw invalidArgument(
      'disk',
      name,
      `one of run ${run.run}: ${run.disks.map(({ disk }) => disk).join(', ')}`,
    );
  if (known?.disk === named || force) return named;
  const is =
    known === null
      ? 'the folder knows nothing of this image'
      : `by its history this image is ${known.disk?.disk ?? 'another disk'}`;
  throw new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `${image} was not overwritten with ${named.disk} of run ${run.run}: ${is}; --force does it all the same`,
    { disk: image, details: { argument: 'onto' } },
  );
}

/** By the history that the image has, or had: the run’s disk of the same series, where there is one such series. Null: the folder does not know the history. */
function byHistory(
  folder: BackupFolder,
  run: Manifest,
  epoch: Epoch | null,
): { disk: DiskRun | null } | null {
  const layers = placeOfHistory(folder, epoch).series?.layers ?? [];
  const series = new Set(layers.map(({ disk }) => folder.seriesOf(disk)));
  if (series.size !== 1) return null;
  return { disk: run.disks.find((disk) => series.has(folder.seriesOf(disk))) ?? null };
}

/**
 * By the path that the run’s disk was taken from, and its size: where the image has no history of its own that says something else. Never a
 * device: the same number, and name, may be another one’s after the next start of the machine.
 */
async function byPath(run: Manifest, image: string, sizeBytes: number): Promise<{ disk: DiskRun } | null> {
  const path = await imagePath(resolve(image));
  if (path === null || (await stat(path)).isBlockDevice()) return null;
  const disk = run.disks.find((one) => one.image === path || one.disk === path);
  return disk === undefined || disk.sizeBytes !== sizeBytes ? null : { disk };
}
