/**
 * Whether somebody else wrote to an image below the QEMU that has it open. A QEMU that opens an image for writing marks every bitmap in
 * the file as in use, and takes the mark away when it closes it, or turns it read-only. A bitmap without the mark is of another time: an
 * older file was copied over this one. (What QEMU has in memory it goes on with, over data that it did not write, and stores or not.)
 */
import { hasWriter } from '../../../linux/writerLock.js';
import { ImageFile } from '../imageFile.js';
import { readEntries } from './bitmapRoom.js';
import { KNOWN_HEADER_BYTES, parseHeader, readClusterBits } from './header.js';

/**
 * The name of a bitmap in the file that says that no QEMU has it, although one holds the file for writing; null where there is
 * none, or no lock tells that this is the file which a QEMU has. To be asked twice: in between QEMU may have closed it.
 */
export async function findUnmarkedBitmap(path: string, signal?: AbortSignal): Promise<string | null> {
  const file = await ImageFile.open(path);
  try {
    if (!(await hasWriter(file.fd))) return null;
    const { sizeBytes } = await file.stamp();
    const start = await file.readUpTo(0, KNOWN_HEADER_BYTES, signal);
    const head = await file.readUpTo(0, 2 ** readClusterBits(path, start), signal);
    const entries = await readEntries(file, head, parseHeader(path, head), sizeBytes, signal);
    return entries.find(({ inUse }) => !inUse)?.name ?? null;
  } finally {
    await file.close();
  }
}
