/**
 * A Parallels disk read offline: the images of a .hdd folder or a bare .hds, top first, each a layer with its own bitmaps.
 * What may be told of them, and when, is the same for every disk made of image files.
 */
import type { BitmapKernel } from '../../../core/bitmapKernel.js';
import type { DiskSource } from '../../../core/diskSource.js';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { corrupt, faultError } from '../faults.js';
import { concernsOneLayer, type ImageChain } from '../imageChain.js';
import { ImageChainSource } from '../imageChainSource.js';
import { type ImageLayer, rawLayer, unreadableLayer } from '../layer.js';
import { OpenFiles } from '../openFiles.js';
import type { StackReader } from '../stack.js';
import { WriterGuard } from '../writerGuard.js';
import { type DiskFiles, findDiskFiles } from './diskFiles.js';
import { SECTOR_BYTES } from './header.js';
import { readParallelsLayer } from './parallelsLayer.js';

export interface ParallelsOptions {
  kernel: BitmapKernel;
  signal?: AbortSignal | undefined;
}

/** Opens a .hdd folder or a .hds image. Fails early where the top image cannot be found or opened. */
export async function openParallels(path: string, { kernel, signal }: ParallelsOptions): Promise<DiskSource> {
  const files = new OpenFiles();
  try {
    throwIfAborted(signal);
    const { images } = await findDiskFiles(path, signal);
    await files.open(images[0].path);
    return new ImageChainSource(path, (reader) => readDisk(reader, path), files, kernel);
  } catch (error) {
    await files.close();
    throw error instanceof CbtError ? error.about(path) : error;
  }
}

/** The descriptor is read again for every question: a snapshot taken meanwhile has put another image on top. */
async function readDisk(reader: StackReader, path: string): Promise<ImageChain> {
  const files = await findDiskFiles(path, reader.signal);
  const guard = new WriterGuard(reader.kernel);
  const [first, ...rest] = files.images;
  const top = await readLayer(reader, files, first, guard);
  checkDiskSize(files, top.state.sizeBytes);
  const layers: [ImageLayer, ...ImageLayer[]] = [top];
  for (const image of rest) {
    try {
      layers.push(await readLayer(reader, files, image, guard));
    } catch (error) {
      // The bitmaps above do not depend on it; whoever needs it is told.
      if (!(error instanceof CbtError) || !concernsOneLayer(error)) throw error;
      layers.push(unreadableLayer(image.path, top.state.sizeBytes, error));
    }
  }
  return { layers, guard };
}

async function readLayer(
  { files: opened, kernel, signal }: StackReader,
  disk: DiskFiles,
  image: DiskFiles['images'][number],
  guard: WriterGuard,
): Promise<ImageLayer> {
  throwIfAborted(signal);
  const snapshot = await guard.add(await opened.open(image.path));
  if (image.raw) return rawLayer(snapshot, kernel);
  const layer = await readParallelsLayer(snapshot, guard, kernel, signal);
  checkClusterSize(disk, image.path, layer.header.clusterSectors);
  return layer;
}

/** The disk would go on past what any image tells of; an image may be longer, rounded up to its clusters. */
function checkDiskSize({ descriptor, diskSectors }: DiskFiles, topBytes: number): void {
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
