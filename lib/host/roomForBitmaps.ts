/**
 * Whether images can be opened for writing at all: QEMU writes every bitmap anew when it closes one, and loses all of them
 * where one does not fit. Looked at before the image is opened, for then it is too late.
 */
import { stat } from 'node:fs/promises';
import { type BitmapChange, readBitmapNeed } from '../backend/image/qcow2/bitmapRoom.js';
import { CbtError } from '../core/errors.js';
import { onFile } from '../linux/fileFault.js';
import { freeSpaceFor } from '../linux/freeSpace.js';

/** Throws unless each of the qcow2 images has room for its bitmaps; those on one file system must have it together. */
export async function requireRoomForBitmaps(
  images: readonly string[],
  change: BitmapChange,
  /** Bytes that will be written to each image beside its bitmaps. */
  options: { dataBytes?: number; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { dataBytes = 0, signal } = options;
  /** Bytes that images before this one may take, by file system. */
  const promised = new Map<number, number>();
  for (const image of images) {
    const need = await readBitmapNeed(image, change, signal);
    const neededBytes = need.neededBytes + dataBytes;
    if (need.freeInsideBytes !== null) {
      if (need.freeInsideBytes < neededBytes) throw noRoom(image, neededBytes, need.freeInsideBytes, image);
      continue;
    }
    const { bytes, folder } = await freeSpaceFor(image);
    const { dev } = await onFile(image, 'looking', () => stat(image));
    const before = promised.get(dev) ?? 0;
    promised.set(dev, before + neededBytes);
    if (bytes !== null && bytes - before < neededBytes)
      throw noRoom(image, neededBytes, Math.max(0, bytes - before), folder);
  }
}

/** The same for an image whose bitmaps stay as they are: QEMU loads them all the same, and writes them when it closes. */
export function requireRoomToWrite(image: string, signal?: AbortSignal): Promise<void> {
  return requireRoomForBitmaps([image], AS_THEY_ARE, { signal });
}

/** Most bytes that a qcow2 image may grow by for that. */
export async function bitmapBytesToStore(image: string, signal?: AbortSignal): Promise<number> {
  return (await readBitmapNeed(image, AS_THEY_ARE, signal)).neededBytes;
}

const AS_THEY_ARE: BitmapChange = { keeps: () => true, adds: 0 };

function noRoom(image: string, neededBytes: number, freeBytes: number, folder: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${image} was not opened for writing: storing its bitmaps may need ${neededBytes} bytes, and ${freeBytes} are free in ${folder}. ` +
      'Without that room QEMU would lose all of them; nothing is changed, make room first',
    { disk: image, details: { neededBytes, freeBytes, folder } },
  );
}
