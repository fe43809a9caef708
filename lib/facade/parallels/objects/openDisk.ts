/**
 * Opens what a disk's name may stand for: an `nbd:` URL, a `.hdd` folder or `.hds` image, a qcow2 image. In this order, as the
 * SDK's library detects them; anything else is not recognised.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { CallOptions } from '../../../core/callOptions.js';
import { CbtError } from '../../../core/errors.js';
import { abortSignal, type Checks, flag, integer, milliseconds } from '../../../core/options.js';
import { parseUuid } from '../../../core/pointInTime.js';
import { type DataTarget, openData, openExportMap } from '../../../host/data.js';
import { diskPath } from '../../../host/diskFiles.js';
import { openDisk as openImageMaps } from '../../../host/open.js';
import { closeAll } from '../../closeAll.js';
import { requireText } from '../arguments.js';
import { PRL_DISK_READ, PRL_DISK_WRITE } from '../constants/flags.js';
import {
  PRL_ERR_DISK_FILE_OPEN_ERROR,
  PRL_ERR_DISK_OPERATION_NOT_ALLOWED,
  PRL_ERR_FAILURE,
  PRL_ERR_NO_DATA,
} from '../constants/results.js';
import { invalid, PrlError, toPrlError } from '../errors.js';
import { inTime, requireOptions } from '../inTime.js';
import { runtime } from '../runtime.js';
import { Disk } from './disk.js';
import { type OpenedDisk, type OpenMap, openMap } from './openedDisk.js';

/** How a disk is opened. */
export interface OpenPrlDiskOptions extends CallOptions {
  /** PRL_DISK_ flags; reading unless told. */
  flags?: number | undefined;
  /** Whether what the image names may be opened (a backing file, a data file), though only its bytes say what it is. */
  trust?: boolean | undefined;
  /** Added to the offset of every read and write, bytes. */
  byteOffset?: number | undefined;
}

const TRUST: Checks<Pick<OpenPrlDiskOptions, 'trust'>> = { trust: flag };
const OPTIONS: Checks<OpenPrlDiskOptions> = {
  ...TRUST,
  flags: integer(0, 2 ** 32 - 1),
  byteOffset: integer(0),
  signal: abortSignal,
  timeoutMs: milliseconds,
};

/**
 * Says whether images that are opened by path are trusted unless a call says otherwise; kept until it is called again.
 * @param options Whether images opened by path may name files.
 * @throws `PrlError` for an option that is not what it must be.
 * @example
 * ```ts
 * configureDisks({ trust: true });
 * ```
 */
export function configureDisks(options: Pick<OpenPrlDiskOptions, 'trust'>): void {
  requireOptions('configureDisks', options, TRUST);
  runtime().trust = options.trust ?? false;
}

/**
 * Opens a disk by its name; see the head of this file for what it may be.
 * @param name Path of an image, or the URL of an NBD export.
 * @param options How it is opened.
 * @throws `PrlError`, whose `result` is the code that the SDK has for it: a bad name is PRL_ERR_INVALID_ARG.
 * @example
 * ```ts
 * await using opened = await openPrlDisk('/vm/disk.qcow2');
 * for (const { offset, length } of await opened.getChangesMap('{3f2504e0-4f89-11d3-9a0c-0305e82c3301}')) console.log(offset, length);
 * ```
 */
export async function openPrlDisk(name: string, options: OpenPrlDiskOptions = {}): Promise<Disk> {
  requireOptions('openPrlDisk', options, OPTIONS);
  const { flags = PRL_DISK_READ, byteOffset = 0, trust = runtime().trust, signal, timeoutMs } = options;
  return inTime('openPrlDisk', { signal, timeoutMs }, async (own) => {
    requireText('name', name);
    const isUri = /^nbds?(\+unix)?:/i.test(name);
    return new Disk(await (isUri ? openNbd(name, own) : openLocal(name, flags, trust, own)), byteOffset);
  });
}

async function openNbd(uri: string, opening: CallOptions): Promise<OpenedDisk> {
  const target: DataTarget = { kind: 'uri', uri };
  try {
    const data = await openData(target, opening);
    return {
      name: uri,
      history: null,
      data,
      local: false,
      ownGranularity: false,
      changes: async (from, to, spelled, own) => {
        if (to !== undefined)
          throw new PrlError(PRL_ERR_FAILURE, 'an NBD export tells nothing between two points in time');
        return exportChanges(target, [from, spelled], own);
      },
      allocated: (own) => openExportMap(target, null, own),
      check: async () => undefined,
      close: () => data.close(),
    };
  } catch (thrown) {
    throw toPrlError(thrown, PRL_ERR_FAILURE);
  }
}

/**
 * The bitmap of the name that the caller wrote; else, where that is a UUID, of one of its usual spellings: with braces, as
 * the SDK writes them, or without, as QEMU reads them from Parallels images.
 */
async function exportChanges(
  target: DataTarget,
  [from, spelled]: [string, string],
  own: CallOptions,
): Promise<OpenMap> {
  const upper = from.toUpperCase();
  const usual = parseUuid(from) === null ? [] : [`{${from}}`, from, `{${upper}}`, upper];
  const names = [...new Set([spelled, ...usual])];
  for (const bitmap of names) {
    try {
      return await openExportMap(target, bitmap, own);
    } catch (thrown) {
      if (!(thrown instanceof CbtError) || thrown.code !== 'ERR_CBT_UNSUPPORTED') throw thrown;
    }
  }
  throw new PrlError(PRL_ERR_NO_DATA, `the export offers no dirty bitmap of the names ${names.join(', ')}`);
}

async function openLocal(
  path: string,
  flags: number,
  trust: boolean,
  opening: CallOptions,
): Promise<OpenedDisk> {
  const writable = (flags & PRL_DISK_WRITE) !== 0;
  if (!writable && (flags & PRL_DISK_READ) === 0)
    throw invalid('flags', 'PRL_DISK_READ, PRL_DISK_WRITE or both');
  // Absolute: nothing in a file's name is taken for another kind of name.
  const absolute = resolve(path);
  await stat(absolute).catch((thrown: unknown) => {
    throw unrecognised(path, thrown);
  });
  const maps = await openImageMaps(diskPath(absolute), { trust, ...opening }).catch((thrown: unknown) => {
    if (CbtError.is(thrown, 'ERR_CBT_ABORTED')) throw thrown;
    const unreachable = thrown instanceof CbtError && thrown.code === 'ERR_CBT_BACKEND_UNAVAILABLE';
    throw unreachable ? toPrlError(thrown, PRL_ERR_DISK_FILE_OPEN_ERROR) : unrecognised(path, thrown);
  });
  try {
    const { format, epoch } = await maps.topLayer(opening);
    if (format !== 'qcow2' && format !== 'parallels') throw unrecognised(path, `its format is ${format}`);
    if (writable && format === 'parallels') {
      // QEMU 7.2 drops the bitmaps of such an image as soon as it opens it for writing, and leaves the file damaged.
      throw new PrlError(PRL_ERR_DISK_OPERATION_NOT_ALLOWED, `${path}: Parallels images are only read`);
    }
    const image = format === 'parallels' ? { file: diskPath(absolute), format } : { file: absolute, trust };
    const data = await openData({ kind: 'qemu-nbd', ...image, readOnly: !writable }, opening);
    return {
      name: path,
      history: epoch,
      data,
      local: true,
      ownGranularity: format === 'parallels',
      changes: async (from, to, _spelled, own) => openMap(await maps.changes({ from, to, ...own })),
      allocated: async (own) => openMap(await maps.allocated(own)),
      check: async () => undefined,
      close: () => closeAll(maps, data),
    };
  } catch (thrown) {
    await maps.close();
    throw toPrlError(thrown);
  }
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
