/** The one wiring place: from what a caller names to the backend and kernel that serve it. */
import { CbtError, invalidArgument } from './core/errors.js';
import { TrackedDisk } from './core/trackedDisk.js';
import { loadKernel } from './kernel/load.js';

export interface OpenDiskOptions {
  /** Format of the image; told from the file itself unless given. */
  format?: 'qcow2' | 'raw' | 'parallels' | undefined;
  /** Which kernel does the bulk work: the native addon, its script twin, or what loads (the default). */
  kernel?: 'native' | 'script' | 'auto' | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Opens a disk image for questions; the file is only ever read. `disk` is the path of a qcow2 or raw image, of a Parallels
 * `.hds` file or `.hdd` folder. Refuses with `ERR_CBT_BACKEND_UNAVAILABLE` and reason `BUSY` when a running QEMU holds the
 * image for writing: its bitmaps are then in that process, not in the file.
 */
export async function openDisk(disk: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
  if (typeof disk !== 'string' || disk === '' || disk.includes('\0')) {
    throw invalidArgument('disk', disk, 'the path of an image');
  }
  if (disk.startsWith('qmp:')) {
    throw new CbtError('ERR_CBT_UNSUPPORTED', `${disk}: disks of a running QEMU cannot be asked yet`, {
      disk,
    });
  }
  const kernel = await loadKernel({ kernel: options.kernel ?? 'auto' });
  const { openImage } = await import('./backend/image/imageSource.js');
  const { format, signal } = options;
  const source = await openImage(disk, { kernel, ...(format && { format }), ...(signal && { signal }) });
  return new TrackedDisk(source, kernel);
}
