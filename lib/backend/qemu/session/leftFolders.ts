/**
 * Folders of sessions whose QEMU is gone or knows nothing of them any more: the VM was shut down or killed in the middle of
 * a session, or our process was before QEMU had heard of it. What their records say is believed only where nobody else
 * could have written them.
 */
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { CbtError, losesChain } from '../../../core/errors.js';
import { pointLeftAfter } from '../../../core/pointLeft.js';
import { parseSegmentName } from '../../../core/segmentName.js';
import type { TrackingOutcome } from '../../../core/tracking.js';
import { fileIdentity, lastingIdentity, tellsBirth } from '../../../linux/fileIdentity.js';
import { isHeld } from '../../../linux/kernelLock.js';
import { isThisMachine } from '../../../linux/machine.js';
import { isUnwritten } from '../../../linux/record.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { listDisks, type VmDisk } from '../graph/vmDisks.js';
import { isMarked } from '../own/folderMark.js';
import { tagOf } from '../own/ids.js';
import { LEASE_NAME, type Lease, type LeaseDisk, readLease, writeLease } from '../own/lease.js';
import { findSessions } from '../own/sessionParts.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { holdsNothing, rollBackPoint } from './ending.js';
import { endLeftFreeze } from './leftFreeze.js';
import { holdingLost, isAbandoned, keeperOf, OWNER_NAME } from './owner.js';
import { removeFolder } from './teardown.js';

export interface LeftFolder {
  folder: string;
  lease: Lease;
}

const FOLDER_NAME = /^cbt-[A-Za-z0-9]{6}$/;
/** An empty folder may be that of a session which is just being begun. */
const EMPTY_FOR_MS = 60_000;

/** The session folders right below these, with a record that can be trusted, whoever keeps them. */
export async function findSessionFolders(parents: readonly string[]): Promise<LeftFolder[]> {
  const found: LeftFolder[] = [];
  for (const parent of new Set(parents.map((folder) => path.resolve(folder)))) {
    for (const name of await readdir(parent).catch(() => [])) {
      const folder = path.join(parent, name);
      if (!FOLDER_NAME.test(name) || !(await isTrusted(folder))) continue;
      const lease = await readLease(folder);
      if (lease !== null) found.push({ folder, lease });
      else await removeOldEmpty(folder);
    }
  }
  return found;
}

/** A folder of a session whose images, and whose VM, cannot be told. */
export interface UnclearFolder {
  folder: string;
  /** Only we or root can have made it. */
  trusted: boolean;
  /** Names of its overlays, which may hold what a guest wrote. */
  overlays: string[];
  /** It has a record of ours that cannot be read now, or not by this version. */
  record: boolean;
}

/** Folders with files of a session whose record is missing, or may be anybody's; and those with a record that cannot be read. */
export async function findUnclearFolders(parents: readonly string[]): Promise<UnclearFolder[]> {
  const found: UnclearFolder[] = [];
  for (const parent of new Set(parents.map((folder) => path.resolve(folder)))) {
    for (const name of (await readdir(parent).catch(() => [])).filter((entry) => FOLDER_NAME.test(entry))) {
      const folder = path.join(parent, name);
      const files = (await readdir(folder).catch(() => [])).filter((file) => SESSION_FILE.test(file));
      const trusted = await isTrusted(folder);
      if (trusted && (await readLease(folder)) !== null) continue;
      const record = trusted && !(await isUnwritten(path.join(folder, LEASE_NAME)));
      if (files.length > 0 || record)
        found.push({ folder, trusted, overlays: files.filter((file) => file.startsWith('overlay')), record });
    }
  }
  return found;
}

const SESSION_FILE = /^(overlay|scratch)-\d+\.qcow2$/;

/**
 * Whether a session that QEMU does not hold is over: it is, unless a process is just beginning it. (Null: that process
 * cannot be seen from here.) To be asked only when QEMU holds nothing of it, or is gone.
 */
export async function isOver({ folder, lease }: LeftFolder): Promise<boolean | null> {
  const keeper = await keeperOf(folder, lease);
  if (keeper === 'unknown' || !(await isThisMachine(lease.machine))) return null;
  return keeper !== 'alive';
}

/**
 * The folders of sessions that are over although nobody ended them: this QEMU does not hold them, and they were this
 * VM's, or had an image that this QEMU has now, which no other then can have.
 */
export async function findLostSessions(
  client: QmpPort,
  parents: readonly string[],
  options?: WaitOptions,
): Promise<LeftFolder[]> {
  const folders = await findSessionFolders(parents);
  if (folders.length === 0) return [];
  const disks = await listDisks(client, options);
  const held = await findSessions(client, options);
  const lost: LeftFolder[] = [];
  for (const found of folders) {
    const { lease } = found;
    if (held.has(tagOf(lease.session)) || !(await isOurs(client, disks, lease))) continue;
    // Another QEMU that runs has it: one with our VM's UUID, or a copy of our image.
    if (await client.host.isAnothersServer(lease.nbdSocket)) continue;
    // With its point on a disk nobody is just beginning it: its process, or a guard, has only not yet noticed that QEMU went.
    const stale = isAbandoned(lease.session) || (lease.taken && disks.some((disk) => hasPoint(disk, lease)));
    const over = await isOver(found);
    if (over || (over === false && stale)) lost.push(found);
  }
  return lost;
}

async function isOurs({ host }: QmpPort, disks: readonly VmDisk[], lease: Lease): Promise<boolean> {
  if ((await host.isOf(lease)) || disks.some((disk) => hasPoint(disk, lease))) return true;
  for (const disk of lease.disks)
    if (disk.image !== undefined && (await findSame(disks, disk)) !== undefined) return true;
  return false;
}

/**
 * The disk of the same history, else with the same image; where neither is known, of the same name. Nodes change with every start. Another
 * file with another history in its place is another disk: the session's own may come back, with its point in time. In the very file,
 * whatever its path is now, the history ended, and the point with it.
 */
async function findSame(disks: readonly VmDisk[], known: LeaseDisk): Promise<VmDisk | undefined> {
  const { image, disk, epoch } = known;
  const own = disks.filter(({ layers }) =>
    layers?.[0].bitmaps.some(({ name }) => epoch !== undefined && parseSegmentName(name)?.epoch === epoch),
  );
  for (const found of own) if (image === undefined || !(await isCopy(found, image))) return found;
  const there = disks.find(({ id, filename }) =>
    image === undefined
      ? id === disk
      : filename !== undefined && path.resolve(filename) === path.resolve(image),
  );
  if (there !== undefined && !hasOtherHistory(there, epoch)) return there;
  for (const found of disks) if (await isOwnFile(known, found.filename)) return found;
  return undefined;
}

/** One without any may be the same: what QEMU had not stored when it was killed is in no file. */
function hasOtherHistory({ layers }: VmDisk, epoch: string | undefined): boolean {
  const epochs = (layers?.[0].bitmaps ?? []).flatMap(({ name }) => parseSegmentName(name)?.epoch ?? []);
  return epoch !== undefined && epochs.length > 0 && !epochs.includes(epoch);
}

/** Whether the disk is seen not to stand on this image, which is there: what has its history all the same is a copy of it. */
async function isCopy({ layers }: VmDisk, image: string): Promise<boolean> {
  const its = await fileIdentity(image);
  if (its === null || layers === undefined) return false;
  const own = await Promise.all(
    layers.map(({ filename }) => (filename.startsWith('/') ? fileIdentity(filename) : null)),
  );
  return !own.includes(null) && !own.includes(its);
}

/** Whether the session's point in time is on the disk, by whatever path its image is known now. */
function hasPoint({ layers }: VmDisk, { session }: Lease): boolean {
  return layers?.[0].bitmaps.some(({ name }) => parseSegmentName(name)?.pit === session) === true;
}

/** Whether it is in a layer below, which may be the disk again; of layers that cannot be seen nothing is known. */
function hasPointBelow({ layers }: VmDisk, { session }: Lease): boolean {
  if (layers === undefined) return true;
  return layers
    .slice(1)
    .some(({ bitmaps }) => bitmaps.some(({ name }) => parseSegmentName(name)?.pit === session));
}

/**
 * Ends a lost session on the VM that runs now: its point in time, which nobody committed, is rolled back where a disk still
 * has it, and its files go. An overlay that holds writes of the guest stays, with its record; so does the record while
 * an image that may still have the point is not on this VM, or the point is where it cannot be taken off now (below an overlay, as
 * a rule), because it would be taken for a committed one.
 */
export async function endLostSession(
  client: QmpPort,
  left: LeftFolder,
  options?: WaitOptions,
): Promise<TrackingOutcome> {
  const done = await holdingLost(left, () => undoLostSession(client, left, options));
  return done ?? { pit: left.lease.session, disks: [] };
}

/** The same, for whoever has the session's lock. */
export async function undoLostSession(
  client: QmpPort,
  { folder, lease }: LeftFolder,
  options?: WaitOptions,
): Promise<TrackingOutcome> {
  let outcome: TrackingOutcome = { pit: lease.session, disks: [] };
  const told = await endLeftFreeze({ folder, lease }, client.host, options);
  const ended = (): TrackingOutcome => (told.length === 0 ? outcome : { ...outcome, warnings: told });
  let away: LeaseDisk[] = [];
  let stuck: LeaseDisk[] = [];
  if (mayHavePoint(lease)) {
    const now = await listDisks(client, options);
    const there = now.flatMap((disk, index): LeaseDisk[] => {
      const { id, formatNode: node, sizeBytes = 0 } = disk;
      return node !== undefined && hasPoint(disk, lease) ? [{ index, disk: id, node, sizeBytes }] : [];
    });
    outcome = await rollBackPoint(client, { ...lease, disks: there }, options);
    // A chain that ended for good has no base at all: the next session starts it anew.
    const stays = pointLeftAfter(outcome.disks);
    const failed = stays.find(({ why }) => !losesChain(why));
    if (failed !== undefined) throw failed.why;
    const found = await findEach(now, lease);
    away = found.flatMap(({ disk, same }) => (same === undefined ? [disk] : []));
    stuck = found.flatMap(({ disk, same }) =>
      same !== undefined && (stays.some((left) => left.disk === same.id) || hasPointBelow(same, lease))
        ? [disk]
        : [],
    );
  }
  // Another VM's, by its name: this one has the socket's path, or a copy of an image, and may not touch its files.
  if (away.length > 0 && away.length === lease.disks.length) return ended();
  const remain = [...away, ...stuck];
  const stranded = strandedBecause({ folder, lease }) !== null;
  const record = lease.frozen !== undefined || remain.length > 0 || stranded;
  // A stranded overlay's record tells of all its disks; otherwise only those remain of which something is to be done.
  if (remain.length > 0 && !stranded) await writeLease(folder, { ...lease, disks: remain });
  await removeFolder(folder, { overlays: holdsNothing(lease), record });
  return ended();
}

/** Disks of a lost session whose images are not on this VM now. They may come back with its point in time, so its record waits for them. */
export async function findAwaited(
  client: QmpPort,
  { lease }: LeftFolder,
  options?: WaitOptions,
): Promise<LeaseDisk[]> {
  if (!mayHavePoint(lease)) return [];
  const found = await findEach(await listDisks(client, options), lease);
  return found.flatMap(({ disk, same }) => (same === undefined ? [disk] : []));
}

/** Whether its point in time was taken, and nobody decided to keep it. */
export function mayHavePoint({ taken, ending }: Lease): boolean {
  return taken && ending !== 'commit';
}

/**
 * Points in time of sessions below these folders that nobody decided to keep, whoever keeps the sessions: nobody has a backup of one yet.
 * Whichever disk has one, by whatever name, its UUID tells.
 */
export async function uncommittedBelow(parents: readonly string[]): Promise<ReadonlySet<string>> {
  const folders = await findSessionFolders(parents);
  return new Set(folders.flatMap(({ lease }) => (mayHavePoint(lease) ? [lease.session] : [])));
}

/** Each disk of the session, with the one that it is on this VM. */
async function findEach(
  now: readonly VmDisk[],
  lease: Lease,
): Promise<{ disk: LeaseDisk; same: VmDisk | undefined }[]> {
  const found: { disk: LeaseDisk; same: VmDisk | undefined }[] = [];
  for (const disk of lease.disks) {
    const same = await findSame(now, disk);
    // An older copy of it has the history, and not the point.
    const isOlder =
      same !== undefined &&
      !hasPoint(same, lease) &&
      (await isReplaced(disk)) &&
      !(await isOwnFile(disk, same.filename));
    const there = same?.formatNode !== undefined && !isOlder;
    found.push({ disk, same: there ? same : undefined });
  }
  return found;
}

/** Whether another file is seen under the path of the session's image. */
export async function isReplaced({ image, file }: LeaseDisk): Promise<boolean> {
  if (image === undefined || file === undefined) return false;
  const now = await lastingIdentity(image);
  return now !== null && now !== file;
}

/** Whether the session's own file has this path now; where the file system keeps no time of birth, another one may have the number by then. */
export async function isOwnFile({ file }: LeaseDisk, at: string | undefined): Promise<boolean> {
  if (file === undefined || !tellsBirth(file) || at?.startsWith('/') !== true) return false;
  return (await lastingIdentity(at)) === file;
}

/** What is told of disks that a session's record waits for. */
export function describeAwaited(disks: readonly LeaseDisk[], folder: string): string {
  const images = disks.map(({ disk, image = disk, epoch }) =>
    epoch === undefined ? image : `${image} (of epoch ${epoch})`,
  );
  return `not seen here, or another disk lies in its place: ${images.join(', ')}. Nothing has to be done: should it come back, its point in time, of which nobody has a backup, is taken off. When it is gone for good, remove ${folder}`;
}

/** Why an overlay of a lost session must not go; null where there is none. */
export function strandedBecause({ folder, lease }: LeftFolder): CbtError | null {
  if (lease.mode !== 'overlay' || holdsNothing(lease)) return null;
  const disks = lease.disks.map(({ disk }) => disk).join(', ');
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `QEMU ended during session ${lease.session}: what the guest wrote to ${disks} from ${lease.created} on is in the overlays in ${folder}, and not in the images`,
    { reason: 'OVERLAY', details: { session: lease.session, folder } },
  );
}

/** A folder in a place where anybody may make one is believed only if it is ours, or root's. */
async function isTrusted(folder: string): Promise<boolean> {
  const info = await lstat(folder).catch(() => null);
  if (info === null || !info.isDirectory() || (info.mode & 0o022) !== 0) return false;
  const own = process.geteuid?.() ?? 0;
  if (info.uid === own || info.uid === 0) return true;
  // Made by root for a QEMU that runs as somebody else: the record is root's.
  const record = await lstat(path.join(folder, 'session.json')).catch(() => null);
  return record?.isFile() === true && (record.uid === own || record.uid === 0);
}

async function removeOldEmpty(folder: string): Promise<void> {
  const info = await lstat(folder).catch(() => null);
  if (info === null || Date.now() - info.mtimeMs < EMPTY_FOR_MS) return;
  const lock = path.join(folder, OWNER_NAME);
  // With nothing in it, or nothing that can be looked at, it may be anybody's of such a name.
  if (!isMarked(info) && (await lstat(lock).catch(() => null)) === null) return;
  if (!(await isHeld(lock).catch(() => true))) await removeUnbegun(folder);
}

/**
 * Removes the folder of a session whose process ended before its record was whole: QEMU has heard of nothing, so there is no
 * file of QEMU's. A record that cannot be read for any other reason stays with what is beside it: it may say that a point in time
 * was never committed.
 */
export async function removeUnbegun(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => null);
  if (names?.every((name) => name === LEASE_NAME || name === OWNER_NAME) !== true) return;
  if (await isUnwritten(path.join(folder, LEASE_NAME))) await removeFolder(folder, { overlays: false });
}
