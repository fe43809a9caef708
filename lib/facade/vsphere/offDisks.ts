/**
 * The disks of a VM that is off: qcow2 images that the configuration names, read and tracked without QEMU. QEMU's own locks on the images
 * tell a VM that runs after all, and refuse.
 */
import { randomUUID } from 'node:crypto';
import { instantOf } from '../../core/changeId.js';
import { CbtError } from '../../core/errors.js';
import type { Instant } from '../../core/pointInTime.js';
import type { TrackedDisk } from '../../core/trackedDisk.js';
import { imageFiles } from '../../host/imageName.js';
import { ImageTracking } from '../../host/imageTracking.js';
import { openDisk } from '../../host/open.js';
import { toFault, VimFault } from './faults.js';
import { fileNameOf } from './shapes.js';

/** Path of each disk's image, by the disk's name. */
export type Images = Readonly<Record<string, string>>;

/** What is read of a disk, of a VM that runs or is off. */
export interface DiskFacts {
  disk: string;
  fileName: string;
  /** Path of the image. */
  path: string | undefined;
  /** Paths of what lies below it, the nearest first. */
  parents: readonly string[];
  capacityInBytes: number;
  epoch: string | null;
  newest: { uuid: string; changeId: string } | undefined;
}

/** The format is given and never told from the file's bytes: a guest may write the header of an image into a raw disk. */
export function openOff(path: string, signal?: AbortSignal): Promise<TrackedDisk> {
  return openDisk(path, { format: 'qcow2', signal });
}

export async function readOffDisks(images: Images): Promise<DiskFacts[]> {
  const found: DiskFacts[] = [];
  for (const [disk, path] of Object.entries(images)) {
    found.push(
      await readOffDisk(disk, path).catch((thrown: unknown) => {
        throw toFault(thrown, fileNameOf(path));
      }),
    );
  }
  return found;
}

async function readOffDisk(disk: string, path: string): Promise<DiskFacts> {
  await using opened = await openOff(path);
  const { pits, epoch, sizeBytes } = await opened.pits();
  return {
    disk,
    fileName: fileNameOf(path),
    path,
    parents: await parentsOf(path),
    capacityInBytes: sizeBytes,
    epoch,
    newest: pits.at(-1),
  };
}

async function parentsOf(path: string): Promise<string[]> {
  return (await imageFiles(path, { format: 'qcow2' })).slice(1);
}

/** Switches tracking of all images at one instant. */
export async function trackOff(images: Images, wanted: boolean, signal: AbortSignal): Promise<void> {
  const found = await readOffDisks(images);
  const chosen = wanted ? found.filter(({ epoch }) => epoch === null) : found;
  const paths = chosen.map(({ disk }) => images[disk] ?? '');
  if (paths.length === 0) return;
  const tracking = new ImageTracking(paths, { format: 'qcow2' });
  const { disks } = wanted ? await tracking.enable({ signal }) : await tracking.disable({ signal });
  const failed = disks.find(({ error }) => error !== undefined)?.error;
  if (failed !== undefined) throw toFault(failed);
}

export interface OffSnapshot {
  session: string;
  disks: (DiskFacts & { instant: Instant })[];
  /** As if it had never been taken. */
  undo(): Promise<void>;
}

/** A point in time on all images. Their content is the snapshot's for as long as nothing writes to them. */
export async function snapshotOff(images: Images, signal: AbortSignal): Promise<OffSnapshot> {
  const found = await readOffDisks(images);
  const untracked = found.find(({ epoch }) => epoch === null);
  if (untracked !== undefined)
    throw new VimFault(
      'NotSupported',
      `${untracked.disk} is not tracked: of a VM that is off nothing else would tell whether its content is still the snapshot's`,
    );
  const tracking = new ImageTracking(
    found.map(({ disk }) => images[disk] ?? ''),
    { format: 'qcow2' },
  );
  const pit = randomUUID();
  const undo = async (): Promise<void> => void (await tracking.rollback(pit));
  const begun = await tracking.begin({ pit, signal });
  try {
    const failed = begun.disks.find(({ error }) => error !== undefined)?.error;
    if (failed !== undefined) throw new VimFault('SnapshotFault', failed.message, {}, failed);
    const disks = found.map((facts, index) => {
      const { changeId = '' } = begun.disks[index] ?? {};
      return { ...facts, instant: requireInstant(facts.disk, changeId, pit) };
    });
    return { session: pit, disks, undo };
  } catch (thrown) {
    await undo();
    throw thrown;
  }
}

/** The instant that a disk has from a session. */
export function requireInstant(disk: string, changeId: string, pit: string): Instant {
  const instant = instantOf(changeId, pit);
  if (instant !== null) return instant;
  throw new VimFault('SnapshotFault', `${disk} got no point in time ${pit}`);
}

/** Throws unless this is the disk of the instant, and still holds what it held then: another image may have its name by now. */
export async function requireUnchanged(disk: TrackedDisk, instant: Instant): Promise<void> {
  const written = await (await disk.changes({ from: instant, max: 1 })).ranges();
  if (written.length > 0)
    throw new CbtError('ERR_CBT_CLOSED', `${disk.disk} was written since the snapshot: its content is gone`);
}
