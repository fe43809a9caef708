/**
 * Opens what a disk's name may stand for: an `nbd:` URL, a `.hdd` folder or `.hds` image, a qcow2 image. In this order, as the
 * SDK's library detects them; anything else is not recognised.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type DataTarget, openData, openExportMap } from '../../../data.js';
import { openDisk as openImageMaps } from '../../../open.js';
import { PRL_DISK_READ, PRL_DISK_WRITE } from '../constants/flags.js';
import {
  PRL_ERR_DISK_OPERATION_NOT_ALLOWED,
  PRL_ERR_FAILURE,
  PRL_ERR_UNIMPLEMENTED,
} from '../constants/results.js';
import { invalid, PrlError, toPrlError } from '../errors.js';
import { Disk } from './disk.js';
import { type DiskSource, type OpenMap, openMap } from './diskSource.js';

export interface OpenDiskOptions {
  /** PRL_DISK_ flags; reading unless told. */
  flags?: number;
  /** Added to the offset of every read and write, bytes. */
  byteOffset?: number;
}

/** Opens a disk by its name; see the head of this file for what it may be. */
export async function openDisk(name: string, options: OpenDiskOptions = {}): Promise<Disk> {
  const { flags = PRL_DISK_READ, byteOffset = 0 } = options;
  const source = /^nbds?(\+unix)?:/i.test(name) ? await openNbd(name) : await openLocal(name, flags);
  return new Disk(source, byteOffset);
}

async function openNbd(uri: string): Promise<DiskSource> {
  const target: DataTarget = { kind: 'uri', uri };
  try {
    const data = await openData(target);
    return {
      name: uri,
      data,
      local: false,
      ownGranularity: false,
      changes: async (from, to) => {
        if (to !== undefined)
          throw new PrlError(PRL_ERR_FAILURE, 'an NBD export tells nothing between two points in time');
        return exportChanges(target, from);
      },
      allocated: () => openExportMap(target, null),
      check: async () => undefined,
      close: () => data.close(),
    };
  } catch (thrown) {
    throw toPrlError(thrown, PRL_ERR_FAILURE);
  }
}

/** A bitmap may be named with braces, as the SDK writes UUIDs, or without, as QEMU reads them from Parallels images. */
async function exportChanges(target: DataTarget, from: string): Promise<OpenMap> {
  let failure: unknown;
  for (const bitmap of [`{${from}}`, from]) {
    try {
      return await openExportMap(target, bitmap);
    } catch (thrown) {
      failure = thrown;
    }
  }
  throw failure;
}

async function openLocal(path: string, flags: number): Promise<DiskSource> {
  const writable = (flags & PRL_DISK_WRITE) !== 0;
  if (!writable && (flags & PRL_DISK_READ) === 0)
    throw invalid('flags', 'PRL_DISK_READ, PRL_DISK_WRITE or both');
  const maps = await openImageMaps(path).catch((thrown: unknown) => {
    throw unrecognised(path, thrown);
  });
  try {
    const { format } = await maps.topLayer();
    if (format !== 'qcow2' && format !== 'parallels') throw unrecognised(path, `its format is ${format}`);
    if (writable && format === 'parallels') {
      // QEMU 7.2 drops the bitmaps of such an image as soon as it opens it for writing, and leaves the file damaged.
      throw new PrlError(PRL_ERR_DISK_OPERATION_NOT_ALLOWED, `${path}: Parallels images are only read`);
    }
    const file = format === 'parallels' ? await imageOf(path) : path;
    const data = await openData({ kind: 'qemu-nbd', file, format, readOnly: !writable });
    return {
      name: path,
      data,
      local: true,
      ownGranularity: format === 'parallels',
      changes: async (from, to) => openMap(await maps.changes({ from, to })),
      allocated: async () => openMap(await maps.allocated()),
      check: async () => undefined,
      close: async () => {
        await maps.close();
        await data.close();
      },
    };
  } catch (thrown) {
    await maps.close();
    throw toPrlError(thrown);
  }
}

/** The file that holds the data of a Parallels disk. */
async function imageOf(path: string): Promise<string> {
  const folder = (await stat(path)).isDirectory()
    ? path
    : basename(path) === 'DiskDescriptor.xml'
      ? join(path, '..')
      : null;
  if (folder === null) return path;
  const images = (await readdir(folder)).filter((name) => name.endsWith('.hds'));
  const [image] = images;
  if (image !== undefined && images.length === 1) return join(folder, image);
  throw new PrlError(
    PRL_ERR_UNIMPLEMENTED,
    `${path} has ${images.length} images: QEMU reads the data of one, without snapshots`,
  );
}

function unrecognised(path: string, why: unknown): PrlError {
  const error = invalid(
    'name',
    `an image that is recognised: ${why instanceof Error ? why.message : String(why)}`,
  );
  return why instanceof Error
    ? new PrlError(error.result, `${path}: ${error.message}`, { cause: why })
    : error;
}
