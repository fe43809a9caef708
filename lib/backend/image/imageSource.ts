/**
 * Disk images read offline: tells a file's format and opens the source that reads it. Files are opened for reading only,
 * no lock is taken, and nothing is ever written.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import type { DiskSource } from '../../core/diskSource.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { type ImageFormat, probeFormat } from './formatProbe.js';
import { readChain } from './imageChain.js';
import { ImageChainSource } from './imageChainSource.js';
import { OpenFiles } from './openFiles.js';
import { DESCRIPTOR } from './parallels/diskFiles.js';
import { openParallelsSource } from './parallelsBacking.js';
import type { StackReader } from './stack.js';

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
    if (options.format === 'parallels' || (options.format === undefined && (await isParallelsFolder(path)))) {
      return await openParallelsSource(path, kernel, signal);
    }
    // Taken for an image, the descriptor would be a raw disk of a few kilobytes with nothing ever changed.
    if (options.format === undefined && basename(path) === DESCRIPTOR)
      return await openParallelsSource(dirname(path), kernel, signal);
    const file = await files.open(path);
    const format = options.format ?? null;
    if ((format ?? (await probeFormat(await file.snapshot(), signal))) !== 'parallels') {
      const read = (reader: StackReader) => readChain({ ...reader, trust }, { path, format });
      return new ImageChainSource(path, read, files, kernel);
    }
    await files.close();
    return await openParallelsSource(path, kernel, signal);
  } catch (error) {
    await files.close();
    throw error instanceof CbtError ? error.about(path) : error;
  }
}

/** A folder is a disk when it holds a disk descriptor. */
async function isParallelsFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory() && (await stat(join(path, DESCRIPTOR))).isFile();
  } catch {
    return false;
  }
}
