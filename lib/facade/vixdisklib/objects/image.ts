/** Image files of this machine, through qemu-img: what they are, and making, growing, copying and checking them. */
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { z } from 'zod';
import { qemuImg } from '../../../imageTool.js';
import { requireRoomToWrite } from '../../../roomForBitmaps.js';
import {
  VIX_E_FILE_ALREADY_EXISTS,
  VIX_E_FILE_NOT_FOUND,
  VIX_E_INCORRECT_FILE_TYPE,
  VIX_E_NOT_SUPPORTED,
} from '../constants/codes.js';
import * as v from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { toldFormat } from '../library.js';
import type { VixDiskLibCreateParams } from '../types.js';
import { metadataFile } from './metadata.js';

const infoSchema = z.looseObject({
  format: z.string(),
  'virtual-size': z.number(),
  'full-backing-filename': z.string().optional(),
});

export interface ImageInfo {
  format: string;
  sizeBytes: number;
  links: number;
  parent: string | null;
}

/**
 * Formats by name. A file's bytes are never asked: the guest of a raw disk may write the header of an image into it, with any file of
 * the host as its backing file.
 */
const FORMATS: readonly (readonly [RegExp, string])[] = [
  [/-flat\.vmdk$/i, 'raw'],
  [/\.(raw|img|bin|dd)$/i, 'raw'],
  [/\.qcow2?$/i, 'qcow2'],
  [/\.vmdk$/i, 'vmdk'],
  [/\.vhdx$/i, 'vhdx'],
  [/\.vhd$/i, 'vpc'],
  [/\.vdi$/i, 'vdi'],
  [/\.hds$/i, 'parallels'],
];

function formatOf(file: string): string {
  const told = toldFormat(file) ?? FORMATS.find(([name]) => name.test(file))?.[1];
  if (told !== undefined) return told;
  throw new VixFailure(
    VIX_E_INCORRECT_FILE_TYPE,
    `the name of ${file} does not say what format it has; configureVixDiskLib({ formats }) can`,
  );
}

/** The format goes by the name unless it is given. */
export async function readImageInfo(file: string, given?: string): Promise<ImageInfo> {
  await stat(file);
  const named = ['-f', given ?? formatOf(file)];
  const text = await qemuImg([
    'info',
    '--output=json',
    '--force-share',
    '--backing-chain',
    ...named,
    '--',
    file,
  ]);
  const layers = z.array(infoSchema).min(1).parse(JSON.parse(text));
  const [top] = layers;
  if (top === undefined) throw new VixFailure(VIX_E_INCORRECT_FILE_TYPE, `${file} has no layer`);
  const { format, 'virtual-size': sizeBytes, 'full-backing-filename': parent = null } = top;
  return { format, sizeBytes, links: layers.length, parent };
}

/** Format and options for a new image, from its name and disk type. */
function newFormat(file: string, diskType: number): { format: string; options: string[] } {
  const format = formatOf(file);
  if (format === 'qcow2' || format === 'raw') return { format, options: [] };
  if (format !== 'vmdk')
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `${file}: images of format ${format} are not made here`);
  const subformat: Readonly<Record<number, string>> = {
    [v.VIXDISKLIB_DISK_MONOLITHIC_SPARSE]: 'monolithicSparse',
    [v.VIXDISKLIB_DISK_MONOLITHIC_FLAT]: 'monolithicFlat',
    [v.VIXDISKLIB_DISK_SPLIT_SPARSE]: 'twoGbMaxExtentSparse',
    [v.VIXDISKLIB_DISK_SPLIT_FLAT]: 'twoGbMaxExtentFlat',
    [v.VIXDISKLIB_DISK_STREAM_OPTIMIZED]: 'streamOptimized',
  };
  const wanted = subformat[diskType];
  if (wanted === undefined)
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `disk type ${diskType} cannot be made here`);
  return { format: 'vmdk', options: ['-o', `subformat=${wanted}`] };
}

export async function createImage(
  file: string,
  params: VixDiskLibCreateParams,
  sizeBytes: number,
): Promise<void> {
  await requireAbsent(file);
  await requireNoExtents(file);
  const { format, options } = newFormat(file, params.diskType);
  await removedOnFailure(file, () =>
    qemuImg(['create', '-q', '-f', format, ...options, '--', file, String(sizeBytes)]),
  );
}

/** A new image over a parent. */
export async function createChild(parent: string, child: string): Promise<void> {
  await requireAbsent(child);
  const { format } = await readImageInfo(parent);
  const own = formatOf(child);
  if (own !== 'qcow2' && own !== 'vmdk')
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `a child of format ${own} is not made here`);
  await removedOnFailure(child, () =>
    qemuImg(['create', '-q', '-f', own, '-b', parent, '-F', format, '--', child]),
  );
}

export async function growImage(file: string, sizeBytes: number): Promise<void> {
  const info = await readImageInfo(file);
  if (sizeBytes < info.sizeBytes)
    throw new VixFailure(
      VIX_E_NOT_SUPPORTED,
      `${file} has ${info.sizeBytes} bytes: it grows, and never shrinks`,
    );
  if (info.format === 'qcow2') await requireRoomToWrite(file);
  await qemuImg(['resize', '-q', '-f', info.format, '--', file, String(sizeBytes)]);
}

/** The disk's content in a new image; a target that is there stays unless it is to be overwritten. */
export async function cloneImage(
  from: string,
  to: string,
  params: VixDiskLibCreateParams,
  overwrite: boolean,
): Promise<void> {
  if (!overwrite) await requireAbsent(to);
  const { format } = await readImageInfo(from);
  const target = newFormat(to, params.diskType);
  if (/flat|Extent/i.test(target.options.join()))
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `${to}: a clone is one file, and this disk type has more`);
  const temporary = `${to}.cloning${extname(to)}`;
  await removedOnFailure(temporary, async () => {
    await qemuImg(['convert', '-q', '-f', format, '-O', target.format, ...target.options, from, temporary]);
    await rename(temporary, to);
  });
}

const measureSchema = z.looseObject({ required: z.number() });

/** Bytes that a copy of this type needs. */
export async function spaceForClone(file: string, diskType: number): Promise<number> {
  const { format, sizeBytes } = await readImageInfo(file);
  // What QEMU can measure is qcow2 and raw; a VMDK needs about as much as a qcow2.
  const flat = diskType === v.VIXDISKLIB_DISK_MONOLITHIC_FLAT || diskType === v.VIXDISKLIB_DISK_SPLIT_FLAT;
  if (flat || diskType === v.VIXDISKLIB_DISK_VMFS_FLAT) return sizeBytes;
  const text = await qemuImg(['measure', '--output=json', '-f', format, '-O', 'qcow2', file]);
  return measureSchema.parse(JSON.parse(text)).required;
}

/** Throws what is wrong with the image. */
export async function checkImage(file: string, repair: boolean): Promise<void> {
  const { format } = await readImageInfo(file);
  if (format === 'raw')
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `${file} is raw: there is nothing to check`);
  if (repair && format === 'qcow2') await requireRoomToWrite(file);
  await qemuImg(['check', '-q', '-f', format, ...(repair ? ['-r', 'all'] : []), '--', file]);
}

export async function unlinkImage(file: string): Promise<void> {
  await readImageInfo(file);
  await rm(file);
  await rm(metadataFile(file), { force: true });
}

export async function renameImage(from: string, to: string): Promise<void> {
  await readImageInfo(from);
  await requireAbsent(to);
  await rename(from, to);
  await rename(metadataFile(from), metadataFile(to)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function requireAbsent(file: string): Promise<void> {
  const there = await stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return false;
    },
  );
  if (there) throw new VixFailure(VIX_E_FILE_ALREADY_EXISTS, `${file} is there already`);
}

/** Files of their own that a VMDK of this name would get: they are somebody's, and stay as they are. */
async function requireNoExtents(file: string): Promise<void> {
  const name = basename(file, extname(file));
  const extents = (await readdir(dirname(file))).filter(
    (other) => other.startsWith(`${name}-`) && /-(flat|[sf]\d{3})\.vmdk$/.test(other),
  );
  if (extents.length > 0)
    throw new VixFailure(VIX_E_FILE_ALREADY_EXISTS, `${extents.join(', ')} beside ${file} is there already`);
}

async function removedOnFailure(file: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/** Throws where nothing is. */
export async function requireFile(file: string): Promise<void> {
  await stat(file).catch((cause: unknown) => {
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `${file} is not there`, { cause });
  });
}
