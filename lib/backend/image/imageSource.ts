/**
 * Disk images read offline: finds what a path stands for and opens the source that reads it. Files are opened for reading
 * only, no lock is taken, and nothing is ever written.
 */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import type { DiskSource } from '../../core/diskSource.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import type { ImageFormat } from './formatProbe.js';
import { OpenFiles } from './openFiles.js';
import { findPlace } from './place.js';
import { StackSource } from './stackSource.js';

export interface OpenImageOptions {
  kernel: BitmapKernel;
  /**
   * Told from the first bytes of the file unless given; a file without a known magic is raw, as QEMU probes. What is told
   * so is a guess: what such a file names is not opened.
   */
  format?: ImageFormat | undefined;
  /** Whether what the bytes tell may be believed, and what they name opened. */
  trust?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Opens a qcow2 or raw image, a Parallels `.hds` image, a `.hdd` folder or its descriptor. Throws `ERR_CBT_BACKEND_UNAVAILABLE` where the
 * file cannot be opened, `ERR_CBT_INVALID_ARGUMENT` where it is no file or block device, and `ERR_CBT_UNSUPPORTED` for a
 * format that QEMU knows and we do not. Whether the image may be trusted is for `state()` to tell.
 */
export async function openImage(path: string, options: OpenImageOptions): Promise<DiskSource> {
  const { kernel, trust, signal } = options;
  const files = new OpenFiles();
  try {
    throwIfAborted(signal);
    const place = await findPlace(path, files, options);
    return new StackSource(path, place, { files, kernel, trust });
  } catch (error) {
    await files.close();
    throw error instanceof CbtError ? error.about(path) : error;
  }
}
