/**
 * Notices that somebody writes to an image at rest that keeps no point in time: to the image, or to any file of a `.hdd` folder. Files that an
 * image's own header names (a backing file, an external data file) are not watched.
 */
import { CbtError } from '../core/errors.js';
import { WriteWatch } from '../linux/writeWatch.js';
import { filesOfDisk } from './diskFiles.js';
import { callingIt, type OffDisk } from './offDisk.js';

export interface DiskWatch {
  /** Throws `BUSY` when anything was written since it began. */
  requireUnwritten(): Promise<void>;
  close(): Promise<void>;
}

export async function watchDisk({ path, known }: OffDisk, signal?: AbortSignal): Promise<DiskWatch> {
  const watches: DiskWatch[] = [];
  const close = async (): Promise<void> => {
    for (const watch of watches) await watch.close();
  };
  const files = await filesOfDisk(path, known.format, signal);
  try {
    for (const file of files) {
      const watch = await callingIt(path, file, () => WriteWatch.begin(file));
      watches.push({
        requireUnwritten: () => callingIt(path, file, () => watch.requireUnwritten()),
        close: () => watch.close(),
      });
    }
    // What says which files there are may have been written before it was watched.
    const now = await filesOfDisk(path, known.format, signal);
    if (now.join('\0') !== files.join('\0'))
      throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} was given other files meanwhile`, {
        disk: path,
        reason: 'BUSY',
        details: { path },
      });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    requireUnwritten: async () => {
      for (const watch of watches) await watch.requireUnwritten();
    },
    close,
  };
}
