/**
 * An expandable image as a layer. It stands alone, or it is one of those that a descriptor lists, and then it is held to
 * what the descriptor says of all of them.
 */
import type { BitmapKernel } from '../../../core/bitmapKernel.js';
import { corrupt, faultError } from '../faults.js';
import type { FileSnapshot } from '../imageFile.js';
import type { ImageLayer } from '../layer.js';
import type { WriterGuard } from '../writerGuard.js';
import { type DiskFiles, requireAlone } from './diskFiles.js';
import { SECTOR_BYTES } from './header.js';
import { readParallelsLayer } from './parallelsLayer.js';

/** `listed`: what the descriptor says; null for an image that was named by itself. */
export async function readParallels(
  snapshot: FileSnapshot,
  listed: DiskFiles | null,
  guard: WriterGuard,
  kernel: BitmapKernel,
  signal?: AbortSignal,
): Promise<ImageLayer> {
  const { path } = snapshot.file;
  if (listed === null) await requireAlone(path, signal);
  const layer = await readParallelsLayer(snapshot, guard, kernel, signal);
  if (listed !== null) checkClusterSize(listed, path, layer.header.clusterSectors);
  return layer;
}

/** The disk would go on past what any image tells of; an image may be longer, rounded up to its clusters. */
export function checkDiskSize({ descriptor, diskSectors }: DiskFiles, topBytes: number): void {
  if (descriptor === null || diskSectors === null || diskSectors * SECTOR_BYTES <= topBytes) return;
  const limit = `at most ${topBytes / SECTOR_BYTES}, the sectors of the top image`;
  throw faultError(descriptor, corrupt('Disk_size', diskSectors, limit));
}

function checkClusterSize({ descriptor, clusterSectors }: DiskFiles, image: string, found: number): void {
  if (descriptor === null || clusterSectors === null || clusterSectors === found) return;
  throw faultError(
    descriptor,
    corrupt('Blocksize', clusterSectors, `${found}, the cluster size of ${image}`),
  );
}
