/**
 * Which files make up a Parallels disk: those that the descriptor of a .hdd folder stacks, or a bare .hds alone. A
 * descriptor is somebody else's text, so it can only name files inside its own folder.
 */

import { stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { CbtError } from '../../../core/errors.js';
import { realPathAsText } from '../../../linux/textPath.js';
import { corrupt, faultError, unsupported } from '../faults.js';
import { ImageFile } from '../imageFile.js';
import { type DiskDescriptor, MAX_DESCRIPTOR_BYTES, parseDescriptor } from './descriptor.js';
import { stackImages } from './imageStack.js';

/** Name of the file in a .hdd folder that tells of its images. */
export const DESCRIPTOR = 'DiskDescriptor.xml';

export interface DiskImage {
  path: string;
  raw: boolean;
}

export interface DiskFiles {
  /** Path of the descriptor; null for a bare image. */
  descriptor: string | null;
  /** What the descriptor says about the whole disk; null where nothing says it. */
  diskSectors: number | null;
  clusterSectors: number | null;
  /** Top first; at least one. */
  images: readonly [DiskImage, ...DiskImage[]];
}

/** `path`: a .hdd folder or an image file. */
export async function findDiskFiles(path: string, signal?: AbortSignal): Promise<DiskFiles> {
  const stats = await attempt(path, 'stat', () => stat(path));
  if (stats.isDirectory()) return readFolder(path, signal);
  await requireAlone(path, signal);
  return { descriptor: null, diskSectors: null, clusterSectors: null, images: [{ path, raw: false }] };
}

async function readFolder(folder: string, signal?: AbortSignal): Promise<DiskFiles> {
  const where = join(folder, DESCRIPTOR);
  const descriptor = await readDescriptor(where, signal);
  const stack = stackImages(where, descriptor, descriptor.topGuid);
  const images: DiskImage[] = [];
  for (const [index, { file, type }] of stack.entries()) {
    const path = await resolveInside(where, folder, file);
    if (images.some((above) => above.path === path)) {
      throw faultError(
        where,
        corrupt('Image/File', JSON.stringify(file), 'unlike that of every image above'),
      );
    }
    // Overlays are expandable, whatever the descriptor calls them: ploop writes Plain for all images of a disk with a
    // raw root. Taken so, an image that is not expandable fails at its magic.
    images.push({ path, raw: type === 'Plain' && index === stack.length - 1 });
  }
  const [top, ...below] = images;
  if (top === undefined) throw new CbtError('ERR_CBT_INTERNAL', `${where} stacks no image`);
  const { diskSectors, clusterSectors } = descriptor;
  return { descriptor: where, diskSectors, clusterSectors, images: [top, ...below] };
}

async function readDescriptor(where: string, signal?: AbortSignal): Promise<DiskDescriptor> {
  const file = await ImageFile.open(where);
  try {
    const { sizeBytes } = await file.snapshot();
    if (sizeBytes > MAX_DESCRIPTOR_BYTES) {
      throw faultError(where, unsupported('file size', sizeBytes, `at most ${MAX_DESCRIPTOR_BYTES} bytes`));
    }
    return parseDescriptor(where, await file.readUpTo(0, MAX_DESCRIPTOR_BYTES, signal));
  } finally {
    await file.close();
  }
}

/** The image's path with its links resolved. QEMU and ploop would follow a name anywhere; here it must stay inside. */
async function resolveInside(where: string, folder: string, file: string): Promise<string> {
  const outside = (path: string): CbtError =>
    faultError(
      where,
      unsupported('Image/File', JSON.stringify(path), `inside the folder ${JSON.stringify(folder)}`),
    );
  const realFolder = await attempt(folder, 'resolve', () => realPathAsText(folder));
  const named = resolve(folder, file);
  // An absolute name may spell the folder with its links or without them.
  if (!isInside(resolve(folder), named) && !isInside(realFolder, named)) throw outside(file);
  const real = await attempt(named, 'resolve', () => realPathAsText(named));
  if (!isInside(realFolder, real)) throw outside(real);
  return real;
}

function isInside(folder: string, path: string): boolean {
  const steps = relative(folder, path);
  return steps !== '' && steps !== '..' && !steps.startsWith(`..${sep}`);
}

/**
 * An overlay read alone would show all that its parents hold as empty. Whether a bare image is one only the descriptor
 * beside it can tell; one that cannot be read is a doubt.
 */
export async function requireAlone(path: string, signal?: AbortSignal): Promise<void> {
  const real = await attempt(path, 'resolve', () => realPathAsText(path));
  const where = join(dirname(real), DESCRIPTOR);
  if ((await findRealPath(where)) === null) return;
  const descriptor = await readDescriptor(where, signal);
  for (const { guid, file } of descriptor.images) {
    if ((await findRealPath(resolve(dirname(real), file))) !== real) continue;
    const layers = stackImages(where, descriptor, guid).length;
    if (layers === 1) continue;
    const limit = `1 for an image given alone: give the folder ${JSON.stringify(dirname(path))}`;
    throw faultError(
      where,
      unsupported(`images under ${JSON.stringify(basename(real))}, itself included`, layers, limit),
    );
  }
}

/** Null where nothing has that name. */
async function findRealPath(path: string): Promise<string | null> {
  try {
    return await realPathAsText(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unavailable(path, 'resolve', error);
  }
}

async function attempt<T>(path: string, call: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw unavailable(path, call, error);
  }
}

function unavailable(path: string, call: string, error: unknown): CbtError {
  const errno = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `cannot ${call} ${path}: ${errno}`, {
    details: { path, call, errno },
    cause: error,
  });
}
