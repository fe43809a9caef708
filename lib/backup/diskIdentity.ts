/** What a disk that is open tells of who it is. */

import { CbtError, throwIfAborted } from '../core/errors.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import { realPathAsText } from '../linux/textPath.js';
import type { ChainPoint, DiskIdentity, FoundDisk } from './source.js';

export async function identify(
  disk: TrackedDisk,
  image: string | null,
  signal: AbortSignal | undefined,
): Promise<DiskIdentity> {
  const { epoch, sizeBytes, pits } = await disk.pits({ signal });
  const { past } = epoch === null ? await disk.topLayer({ signal }) : { past: null };
  return { disk: disk.disk, image, sizeBytes, epoch, past, points: pits.map(pointOf) };
}

function pointOf({ pit, sequence, changeId }: ChainPoint): ChainPoint {
  return { pit, sequence, changeId };
}

/** The points in time that stand in a disk's chain. */
export async function pointsOf(
  disk: TrackedDisk,
  signal: AbortSignal | undefined,
): Promise<readonly ChainPoint[]> {
  return (await disk.pits({ signal })).pits.map(pointOf);
}

/** The path of an image without links; null for what is no absolute path of this machine (a URI). */
export async function imagePath(path: string | undefined): Promise<string | null> {
  if (!path?.startsWith('/')) return null;
  return realPathAsText(path).catch((error: unknown) => (error instanceof CbtError ? null : path));
}

/** Looks at a disk; one that cannot be looked at is told with its error. */
export async function lookAt(
  disk: string,
  image: string | null,
  open: () => Promise<TrackedDisk>,
  signal: AbortSignal | undefined,
): Promise<FoundDisk> {
  try {
    await using opened = await open();
    return await identify(opened, image, signal);
  } catch (error) {
    return notFound(disk, image, error, signal);
  }
}

/** A disk that cannot be looked at. */
export function notFound(
  disk: string,
  image: string | null,
  error: unknown,
  signal: AbortSignal | undefined,
): FoundDisk {
  throwIfAborted(signal);
  if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
  return { disk, image, sizeBytes: 0, epoch: null, points: [], error: error.about(disk) };
}
