/** Image files of this machine, through qemu-img: what they are, and making, growing, copying and checking them. */
import { rename, rm, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { z } from 'zod';
import { qemuImg } from '../../../imageTool.js';
import {
  VIX_E_FILE_ALREADY_EXISTS,
  VIX_E_FILE_NOT_FOUND,
  VIX_E_INCORRECT_FILE_TYPE,
  VIX_E_NOT_SUPPORTED,
} from '../constants/codes.js';
import * as v from '../constants/values.js';
import { VixFailure } from '../errors.js';
import type { VixDiskLibCreateParams } from '../types.js';

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

/** Names that say that a file is raw: what its guest wrote is then never taken for the header of an image. */
const RAW_NAMES = new Set(['.raw', '.img', '.bin']);

export async function readImageInfo(file: string): Promise<ImageInfo> {
  await stat(file);
  const named = RAW_NAMES.has(extname(file)) ? ['-f', 'raw'] : [];
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
  if (top === undefined || (top.format === 'raw' && named.length === 0)) {
    throw new VixFailure(
      VIX_E_INCORRECT_FILE_TYPE,
      `${file} is no image that QEMU knows; a raw disk is opened when its name ends in .raw or .img`,
    );
  }
  const { format, 'virtual-size': sizeBytes, 'full-backing-filename': parent = null } = top;
  return { format, sizeBytes, links: layers.length, parent };
}

/** Format and options for a new image, from its name and disk type. */
function newFormat(file: string, diskType: number): { format: string; options: string[] } {
  const name = extname(file);
  if (name === '.qcow2') return { format: 'qcow2', options: [] };
  if (RAW_NAMES.has(name)) return { format: 'raw', options: [] };
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
  const { format, options } = newFormat(file, params.diskType);
  await removedOnFailure(file, () =>
    qemuImg(['create', '-q', '-f', format, ...options, '--', file, String(sizeBytes)]),
  );
}

/** A new image over a parent. */
export async function createChild(parent: string, child: string): Promise<void> {
  await requireAbsent(child);
  const { format } = await readImageInfo(parent);
  const own = extname(child) === '.qcow2' ? 'qcow2' : 'vmdk';
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
  await qemuImg(['check', '-q', '-f', format, ...(repair ? ['-r', 'all'] : []), '--', file]);
}

export async function unlinkImage(file: string): Promise<void> {
  await readImageInfo(file);
  await rm(file);
}

export async function renameImage(from: string, to: string): Promise<void> {
  await readImageInfo(from);
  await requireAbsent(to);
  await rename(from, to);
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
