/**
 * What sessions left beside images whose QEMU is gone: files, points in time that nobody committed, and overlays with
 * writes of the guest that the image lacks.
 */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tagOf } from '../backend/qemu/own/ids.js';
import { type Lease, type LeaseDisk, writeLease } from '../backend/qemu/own/lease.js';
import { findSessions } from '../backend/qemu/own/sessionParts.js';
import { holdsNothing } from '../backend/qemu/session/ending.js';
import {
  describeAwaited,
  isOver,
  isOwnFile,
  isReplaced,
  type LeftFolder,
  mayHavePoint,
  strandedBecause,
} from '../backend/qemu/session/leftFolders.js';
import { noteOverlay, noteReturning, readOverlayRecord } from '../backend/qemu/session/overlayRecord.js';
import { holdingLost } from '../backend/qemu/session/owner.js';
import {
  hasFilesOfQemu,
  OVERLAY_FILE,
  removeFolder,
  SCRATCH_FILE,
} from '../backend/qemu/session/teardown.js';
import { acquireConnection, releaseConnection } from '../backend/qemu/vmConnection.js';
import { isNobodyThere } from '../backend/qemu/wayToQemu.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { names } from '../core/options.js';
import { pointLeftAfter } from '../core/pointLeft.js';
import type { PitList } from '../core/trackedDisk.js';
import { within } from '../core/within.js';
import { onFile } from '../linux/fileFault.js';
import { qemuImg } from './imageTool.js';
import { ImageTracking } from './imageTracking.js';
import { type Leftover, mending } from './leftover.js';
import { requireRoomForBitmaps } from './roomForBitmaps.js';
import { mayBeNewest, readPoints } from './storedPoints.js';
import { requireNoHolder } from './unused.js';
import { checkLeftovers, findUnclearLeftovers, isAnybodys, type LeftoverOptions } from './vmLeftovers.js';
import { doubtAbout, findFoldersOf, overlayName, overlayOf, placesAround } from './waitingOverlay.js';
import { nameOfVm, wayTo } from './ways.js';
import { findRestoringInStack } from './wholeStack.js';

/** A monitor that answers at all does so at once; one that somebody else uses never does. */
const ANSWER_MS = 3_000;

/** A session's images kept its points in time, which no other format does. */
const QCOW2 = { format: 'qcow2' } as const;

/**
 * What sessions left that had one of these images, or of which nobody can tell what they had.
 * @param images Paths of images.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError` where one cannot be read.
 * @example
 * ```ts
 * for (const { message } of await findImageLeftovers(['/vm/disk.qcow2'])) console.log(message);
 * ```
 */
export async function findImageLeftovers(
  images: readonly string[],
  options: LeftoverOptions = {},
): Promise<Leftover[]> {
  names(images, 'images');
  checkLeftovers('findImageLeftovers', options);
  return within('findImageLeftovers', options, (own = options) => findBeside(images, own));
}

async function findBeside(
  images: readonly string[],
  { scratchFolder: given, signal }: LeftoverOptions,
): Promise<Leftover[]> {
  throwIfAborted(signal);
  const scratch = given === undefined ? [] : [given];
  const { theirs, unclear } = await findFoldersOf(images, scratch);
  const found: Leftover[] = [];
  for (const image of images) found.push(...(await restoredInPart(image, signal)));
  for (const left of theirs) found.push(await examine(left, signal));
  for (const left of unclear) found.push(await examineUnclear(left, signal));
  found.push(...(await findUnclearLeftovers(await placesAround(images, scratch))));
  return found;
}

/** An image that is not there is told by whoever opens it. */
async function restoredInPart(image: string, signal: AbortSignal | undefined): Promise<Leftover[]> {
  const found = await findRestoringInStack(image, { signal });
  return found.map(({ message, advice }) => ({ problem: true, message, advice, mend: null }));
}

/** Nothing is done to a session whose images are not here: they may have its point in time. */
async function examineUnclear(left: LeftFolder, signal: AbortSignal | undefined): Promise<Leftover> {
  const examined = await examine(left, signal);
  const found = { ...examined, problem: examined.problem && !isAnybodys(left.folder) };
  if (found.mend === null) return found;
  const images = left.lease.disks.map(({ disk, image }) => image ?? `that of ${disk}`).join(', ');
  const advice = `its images (${images}) are not here: put them back where they were, or remove ${left.folder} when they are gone for good`;
  return { ...found, advice, mend: null };
}

async function examine(left: LeftFolder, signal: AbortSignal | undefined): Promise<Leftover> {
  const { lease, folder } = left;
  const session = `session ${lease.session} of ${lease.created} (${folder})`;
  const qemu = await lookAtQemu(left, signal);
  if (qemu !== 'gone') {
    const state = { holds: 'is open', other: 'was never ended', silent: 'may be open' }[qemu];
    const advice = `the VM runs: ask \`qemu-cbt doctor ${nameOfVm(lease.vm)}\``;
    return { problem: qemu === 'other', message: `${session} ${state}`, advice, mend: null };
  }
  if ((await isOver(left)) === null) {
    const advice = `look there, with \`qemu-cbt doctor ${nameOfVm(lease.vm)}\``;
    return { problem: true, message: `${session} belongs to ${lease.machine.host}`, advice, mend: null };
  }
  const undo = 'roll back its point in time where an image still has it, and remove its files';
  const stranded = strandedBecause(left);
  if (stranded === null) {
    const message = `${session} was never ended: its QEMU is gone`;
    const replaced = await replacedIn(lease, signal);
    if (replaced.length > 0 && replaced.length === lease.disks.length) {
      const advice = describeAwaited(replaced, folder);
      if (!(await hasFilesOfQemu(folder))) return { problem: false, message, advice, mend: null };
      const tidying = mending('remove its scratch files; its record stays', (signal) =>
        alone(left, () => clear(left, signal)),
      );
      return { problem: true, message, advice, mend: tidying };
    }
    return {
      problem: true,
      message,
      mend: mending(undo, (signal) => alone(left, () => clear(left, signal))),
    };
  }
  const why = await firstDoubt(left, signal);
  if (why !== null) {
    const advice = `${why}. Compare them (\`qemu-img compare <image> <overlay>\`): when they are identical delete the folder; else decide which one holds what the guest needs`;
    return { problem: true, message: stranded.message, advice, mend: null };
  }
  return {
    problem: true,
    message: `${stranded.message}. Do not start the VM before this is mended`,
    mend: mending(`bring the overlays’ data into the images; ${undo}`, (signal) =>
      alone(left, () => bringBack(left, signal)),
    ),
  };
}

/** With the session's lock, so that nobody else mends it, and its guard has noticed that QEMU is gone. */
async function alone(left: LeftFolder, work: () => Promise<void>): Promise<void> {
  await holdingLost(left, work);
}

/** Whether a QEMU has a file of the session open: one whose monitor is not seen from here, as in another container. */
async function isOpen({ folder }: LeftFolder): Promise<boolean> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    if (!SCRATCH_FILE.test(name) && !OVERLAY_FILE.test(name)) continue;
    const free = await requireNoHolder(join(folder, name), 'read').then(
      () => true,
      () => false,
    );
    if (!free) return true;
  }
  return false;
}

/** Whether the session's QEMU is there, and still holds it; 'silent' when its monitor is in somebody else's use. */
async function lookAtQemu(
  left: LeftFolder,
  signal: AbortSignal | undefined,
): Promise<'gone' | 'holds' | 'other' | 'silent'> {
  const { lease } = left;
  try {
    const connection = await acquireConnection(await wayTo(lease.vm), { signal, timeoutMs: ANSWER_MS });
    try {
      return (await findSessions(connection.client, { signal })).has(tagOf(lease.session))
        ? 'holds'
        : 'other';
    } finally {
      await releaseConnection(connection);
    }
  } catch (error) {
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
    return isNobodyThere(error) && !(await isOpen(left)) ? 'gone' : 'silent';
  }
}

/** Why an overlay may not simply be joined with its image; null when all may. */
async function firstDoubt(left: LeftFolder, signal: AbortSignal | undefined): Promise<string | null> {
  for (const disk of left.lease.disks) {
    const why = await doubtAbout(left, disk, signal);
    if (why !== null) return why;
  }
  return null;
}

async function bringBack(left: LeftFolder, signal: AbortSignal | undefined): Promise<void> {
  const { lease, folder } = left;
  for (const disk of lease.disks) {
    const why = await doubtAbout(left, disk, signal);
    if (why !== null)
      throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', why, { disk: disk.disk, reason: 'OVERLAY' });
  }
  await requireRoomForBoth(left, signal);
  // QEMU takes the image's lock for it, and its recording bitmap sees what is written. Stopped in between, it is done again.
  for (const disk of lease.disks) await joinOne(folder, disk, signal);
  lease.emptied = true;
  await writeLease(folder, lease);
  await clear(left, signal);
}

/** Committing writes the overlay's data into the image, and closing that writes its bitmaps. */
async function requireRoomForBoth(
  { lease, folder }: LeftFolder,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const disk of lease.disks) {
    if (disk.image === undefined) continue;
    if ((await readOverlayRecord(folder, disk.index))?.state === 'returned') continue;
    const overlay = overlayOf(folder, disk);
    const { size } = await onFile(overlay, 'looking', () => stat(overlay));
    const change = { keeps: () => true, adds: 0 };
    await requireRoomForBitmaps([disk.image], change, { dataBytes: size, signal });
  }
}

async function joinOne(folder: string, disk: LeaseDisk, signal: AbortSignal | undefined): Promise<void> {
  const { index, image } = disk;
  if ((await readOverlayRecord(folder, index))?.state === 'returned') return;
  await noteReturning(folder, index, image);
  try {
    await qemuImg(['commit', '-q', '-d', await overlayName(folder, disk, signal)], { signal });
  } catch (error) {
    // What it wrote is this commit's, and so the next try may go on.
    await noteReturning(folder, index, image);
    throw error;
  }
  await noteOverlay(folder, index, { state: 'returned' });
}

/**
 * Disks in the place of whose images others lie by now, if only older copies: the session's own may come back, with its point as the newest.
 * The point alone does not tell which disk a file is: all disks of the session have it.
 */
async function replacedIn(lease: Lease, signal: AbortSignal | undefined): Promise<LeaseDisk[]> {
  if (!mayHavePoint(lease)) return [];
  const found: { disk: LeaseDisk; now: PitList | null }[] = [];
  for (const disk of lease.disks) {
    if (disk.image === undefined || disk.epoch === undefined) continue;
    const now = await readPoints(disk.image, signal).catch((error: unknown) => {
      // What cannot be looked at is told, and kept, where its point is to be taken off.
      if (error instanceof CbtError && error.code !== 'ERR_CBT_ABORTED') return null;
      throw error;
    });
    found.push({ disk, now });
  }
  const replaced: LeaseDisk[] = [];
  for (const { disk, now } of found) {
    const { epoch } = disk;
    const isThere = found.some(
      (one) => one.now?.epoch === epoch && one.now?.pits.some((one) => one.pit === lease.session),
    );
    if (now === null || isThere) continue;
    const isOther = now.epoch !== null && now.epoch !== epoch;
    // In the very file, by whatever name of the session's, its history ended, and the point with it; or it is there under that name.
    if ((isOther || (await isReplaced(disk))) && !(await isAmong(lease, disk))) replaced.push(disk);
  }
  return replaced;
}

async function isAmong({ disks }: Lease, own: LeaseDisk): Promise<boolean> {
  for (const { image } of disks) if (await isOwnFile(own, image)) return true;
  return false;
}

async function clear({ folder, lease }: LeftFolder, signal: AbortSignal | undefined): Promise<void> {
  const replaced = await replacedIn(lease, signal);
  if (mayHavePoint(lease)) {
    const known = { ...QCOW2, scratchPlaces: [dirname(folder)] };
    for (const disk of lease.disks) {
      const { image } = disk;
      if (image === undefined) continue;
      // In whichever of the session's files by whichever name: nobody has a backup of the point.
      // One that cannot be looked at, or that another QEMU has, may have the point: the record stays.
      if (!(await mayBeNewest(image, lease.session, signal))) continue;
      const { disks } = await new ImageTracking([image], known).rollback(lease.session, { signal });
      // Where tracking had to end for it (ADR 4), or had ended, the point is gone as well.
      const [stays] = pointLeftAfter(disks);
      if (stays !== undefined) throw stays.why;
    }
  }
  if (replaced.length > 0) await writeLease(folder, { ...lease, disks: replaced });
  await removeFolder(folder, { overlays: holdsNothing(lease), record: replaced.length > 0 });
}
