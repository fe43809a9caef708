/**
 * Whether a running QEMU will be able to store a disk's bitmaps: it writes all of them anew when it closes the image, or turns it
 * read-only for an overlay, and where one does not fit it loses all. (backend/image/qcow2/bitmapRoom.ts)
 */
import { CbtError } from '../../../core/errors.js';
import { freeSpaceFor } from '../../../linux/freeSpace.js';
import { readBitmapNeed } from '../../image/qcow2/bitmapRoom.js';
import type { TrackableDisk } from './vmDisk.js';

/** What is short with one bitmap more; null where there is room, or where it cannot be told from here. */
export async function findShortOfRoom(
  { id, filename, format, persistentCapable, layers }: TrackableDisk,
  options: { granularityBytes?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<CbtError | null> {
  if (!persistentCapable || format !== 'qcow2' || !filename.startsWith('/')) return null;
  const { granularityBytes, signal } = options;
  try {
    const inQemu = layers[0].bitmaps.filter(({ persistent }) => persistent);
    const change = { keeps: () => true, adds: 1, inQemu, granularityBytes };
    const { neededBytes, freeInsideBytes } = await readBitmapNeed(filename, change, signal);
    const { bytes, folder } = await freeSpaceFor(filename);
    // What QEMU has taken inside a device since it opened it is not known here.
    if (freeInsideBytes !== null || bytes === null || bytes >= neededBytes) return null;
    return new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `QEMU stores all bitmaps of ${filename} anew when it closes it, which may need ${neededBytes} bytes, and ${bytes} are free in ${folder}: ` +
        'without that room it loses all of them, make room first',
      { disk: id, details: { neededBytes, freeBytes: bytes, folder } },
    );
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_ABORTED') throw error;
    // In another mount namespace, or not ours to read.
    return null;
  }
}
