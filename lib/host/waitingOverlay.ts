/**
 * Whether an overlay that a session left may be joined with its image: only where it is proven that nobody but the session
 * itself wrote to the image since. Joining would otherwise mix two histories of the guest.
 */

import { lstat, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { resolveBackingFile } from '../backend/image/backing/backingName.js';
import { readOverlayHead } from '../backend/image/qcow2/overlayHead.js';
import type { LeaseDisk } from '../backend/qemu/own/lease.js';
import {
  findSessionFolders,
  findUnclearFolders,
  type LeftFolder,
  strandedBecause,
  uncommittedBelow,
} from '../backend/qemu/session/leftFolders.js';
import {
  type OverlayState,
  readOverlayRecord,
  whyWrittenSince,
} from '../backend/qemu/session/overlayRecord.js';
import { instantOf } from '../core/changeId.js';
import { CbtError } from '../core/errors.js';
import { isContentGone } from '../core/session.js';
import { scratchPlaces } from '../linux/scratchPlace.js';
import { realPathAsText } from '../linux/textPath.js';
import { type ImageNode, imageNode, nameOfNode } from './imageName.js';
import { qemuImg } from './imageTool.js';
import { openImageDisk } from './openFile.js';
import { requireUnwritten } from './unwritten.js';

export function overlayOf(folder: string, { index }: LeaseDisk): string {
  return join(folder, `overlay-${index}.qcow2`);
}

/** Why the overlay of this disk may not be joined with its image; null when it may, or was. */
export async function doubtAbout(
  { lease, folder }: LeftFolder,
  disk: LeaseDisk,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const { image } = disk;
  if (image === undefined) return `where the image of ${disk.disk} is was not recorded`;
  const record = await readOverlayRecord(folder, disk.index);
  if (record?.state === 'returned') return null;
  try {
    const overlay = overlayOf(folder, disk);
    const format = await backingFormat(overlay, image, disk.sizeBytes);
    if (format === null) return `${overlay} is not as its session made it, above ${image}`;
    const doubt =
      record?.state === 'settling'
        ? `QEMU ended while it turned from the overlay of ${disk.disk} to its image: either may be the newer one`
        : await whyWritten({ ...disk, image }, lease.session, record, signal);
    if (doubt === null || (await isAlike(image, format, overlay, signal))) return null;
    return doubt;
  } catch (error) {
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
    return error.message;
  }
}

/** Why somebody else may have written to the image; null when nobody has. */
async function whyWritten(
  disk: LeaseDisk & { image: string },
  session: string,
  record: OverlayState | null,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const { image } = disk;
  const written = await whyWrittenTo(disk, session, signal);
  // When QEMU has it open for the commit, what a crash leaves of its bitmaps tells nothing.
  const unproven =
    written !== null && record?.state === 'returning' ? await whyWrittenSince(record, image) : written;
  return unproven && `${image} does not prove that nobody wrote to it since (${unproven})`;
}

/**
 * Before the commit begins nobody writes to the image: nothing shows in it since the session's point. Every image of the session
 * has that point; that it is this disk's, and not one that has its name by now, its history tells.
 */
async function whyWrittenTo(
  { image, changeId = '' }: LeaseDisk & { image: string },
  session: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const instant = instantOf(changeId, session);
  if (instant === null) return 'which instant of its history the session’s point is was not recorded';
  await using opened = await openImageDisk(image, { format: 'qcow2', signal });
  try {
    await requireUnwritten(opened, instant, signal);
    return null;
  } catch (error) {
    if (error instanceof CbtError && error.reason === 'OTHER_EPOCH')
      return `it is another disk by now: that of the session is of epoch ${instant.epoch}`;
    if (error instanceof CbtError && isContentGone(error)) return error.message;
    throw error;
  }
}

/** With nothing in the overlay that the image lacks there is nothing to lose, whoever wrote what. */
async function isAlike(
  image: string,
  format: string,
  overlay: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const backing = await imageNode(image, { format, signal });
  const names = [nameOfNode(backing), nameOfNode(await nodeOver(backing, overlay, signal))];
  const said = await qemuImg(['compare', ...names], {
    signal,
    passes: [COMPARED_DIFFERENT],
  });
  return /identical/.test(said);
}

/** The overlay over its image as qemu-img takes it: QEMU opens what was looked at, whatever the headers say by then. */
export async function overlayName(
  folder: string,
  disk: LeaseDisk,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { image = '', sizeBytes } = disk;
  const overlay = overlayOf(folder, disk);
  const format = await backingFormat(overlay, image, sizeBytes);
  if (format === null) {
    const message = `${overlay} is not as its session made it, above ${image}`;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk: disk.disk, reason: 'OVERLAY' });
  }
  return nameOfNode(await nodeOver(await imageNode(image, { format, signal }), overlay, signal));
}

async function nodeOver(
  backing: ImageNode,
  overlay: string,
  signal: AbortSignal | undefined,
): Promise<ImageNode> {
  const alone = await imageNode(overlay, { format: 'qcow2', withoutBacking: true, signal });
  return { ...alone, backing };
}

const COMPARED_DIFFERENT = 1;

/**
 * The format that the overlay says its image has; null where it is not what its session made. QEMU's user can write the
 * folder, and we may be root: nothing that the overlay is not itself is read or written.
 */
async function backingFormat(overlay: string, image: string, sizeBytes: number): Promise<string | null> {
  if (!(await lstat(overlay).catch(() => null))?.isFile()) return null;
  const { header, backingName, extensions } = await readOverlayHead(overlay);
  const { backingFormat: format, hasDataFile } = extensions();
  const asMade = backingName?.equals(Buffer.from(image)) === true && header.sizeBytes === sizeBytes;
  return asMade && !hasDataFile && format !== undefined ? format : null;
}

/** Where the files of sessions on these images may be; `scratch`: folders that sessions were given for them. */
export async function placesAround(
  images: readonly string[],
  scratch: readonly string[] = [],
): Promise<string[]> {
  const beside = (await Promise.all(images.map(truePath))).map(dirname);
  return [...new Set([...beside, ...scratchPlaces(), ...scratch].map((place) => resolve(place)))];
}

/**
 * The sessions that had one of these images, wherever their files may be, and those whose images cannot be told: they were
 * moved since, or never known.
 */
export async function findFoldersOf(
  images: readonly string[],
  scratch: readonly string[] = [],
): Promise<{ theirs: LeftFolder[]; unclear: LeftFolder[] }> {
  const wanted = new Set(await Promise.all(images.map(truePath)));
  const theirs: LeftFolder[] = [];
  const unclear: LeftFolder[] = [];
  for (const left of await findSessionFolders(await placesAround(images, scratch))) {
    const had = left.lease.disks.flatMap(({ image }) => image ?? []);
    const there = await Promise.all(had.map(async (image) => realPathAsText(image).catch(() => null)));
    if (there.some((image) => image !== null && wanted.has(image))) theirs.push(left);
    else if (!there.some((image) => image !== null)) unclear.push(left);
  }
  return { theirs, unclear };
}

/** Points in time of sessions whose records are around these images (beside them, in the temporary folder, in `scratch`) that nobody decided to keep. */
export async function uncommittedPoints(
  images: readonly string[],
  scratch: readonly string[] = [],
): Promise<ReadonlySet<string>> {
  return uncommittedBelow(await placesAround(images, scratch));
}

/**
 * Throws where an overlay waits for one of these images: what the guest wrote last is in it, and a new point in time, or a new
 * history, would take the proof away that the two may be joined.
 */
export async function requireNoWaitingOverlay(
  images: readonly string[],
  scratch: readonly string[] = [],
): Promise<void> {
  const known = await placesAround(images);
  // Doctor finds the others where it is told.
  const placeFor = (folder: string): string =>
    known.includes(dirname(folder)) ? '' : `--scratch ${dirname(folder)} `;
  for (const left of (await findFoldersOf(images, scratch)).theirs) {
    const why = strandedBecause(left);
    if (why === null) continue;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${why.message}: bring it back first (qemu-cbt doctor --fix ${placeFor(left.folder)}${images[0]})`,
      { reason: 'BUSY', disk: images[0] ?? '', details: why.details },
    );
  }
  await requireNoneWithoutRecord(images, scratch);
}

/** An overlay whose record is gone still says whose it is: it stands on the image. */
async function requireNoneWithoutRecord(
  images: readonly string[],
  scratch: readonly string[],
): Promise<void> {
  const wanted = new Set(await Promise.all(images.map(truePath)));
  for (const { folder, overlays, trusted } of await findUnclearFolders(await placesAround(images, scratch))) {
    const anybodys = !trusted && (await mayOthersMakeIn(dirname(folder)));
    for (const overlay of overlays.map((name) => join(folder, name))) {
      const image = await imageBelow(overlay).catch((error: unknown) => {
        if (!(error instanceof CbtError)) throw error;
        // Others could keep every backup away for ever by files that nobody may read.
        if (anybodys) return null;
        throw mayHold(`${overlay} may stand on ${images.join(' or ')}: ${error.message}`, folder, images[0]);
      });
      if (image === null || !wanted.has(await truePath(image))) continue;
      // Where anybody can make such a folder, only that of the image's own owner tells of the image.
      if (anybodys && !(await hasOneOwner(folder, image))) continue;
      throw mayHold(`${overlay} stands on ${image}`, folder, image);
    }
  }
}

function mayHold(what: string, folder: string, disk: string | undefined): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${what}. It may hold what the guest wrote last, and no record tells: compare them first (qemu-img compare), then bring it back (qemu-img commit) or remove ${folder}`,
    { reason: 'BUSY', ...(disk !== undefined && { disk }), details: { folder } },
  );
}

/** Whether somebody beside us and root can put files into a folder. */
async function mayOthersMakeIn(folder: string): Promise<boolean> {
  const info = await stat(folder).catch(() => null);
  return info === null || (info.mode & 0o022) !== 0 || (info.uid !== 0 && info.uid !== process.geteuid?.());
}

async function hasOneOwner(folder: string, image: string): Promise<boolean> {
  const [its, own] = await Promise.all([folder, image].map((path) => stat(path).catch(() => null)));
  return its != null && its.uid === own?.uid;
}

/** The image that an overlay names as the one below; null where it is no such overlay. Throws where that cannot be seen. */
export async function imageBelow(overlay: string): Promise<string | null> {
  try {
    const { backingName } = await readOverlayHead(overlay);
    return backingName && resolveBackingFile(overlay, backingName, undefined).path;
  } catch (error) {
    // What has no sound header holds nothing that could be brought back, and what stands on no local file is nobody's here.
    if (CbtError.is(error, 'ERR_CBT_CORRUPT_IMAGE') || CbtError.is(error, 'ERR_CBT_UNSUPPORTED')) return null;
    if (error instanceof CbtError && error.details['errno'] === 'ENOENT') return null;
    throw error;
  }
}

async function truePath(file: string): Promise<string> {
  return realPathAsText(file).catch((error: unknown) => {
    // One that is not there has no other name; one whose name cannot be told could be any.
    if (error instanceof CbtError) throw error;
    return file;
  });
}
